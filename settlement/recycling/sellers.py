"""Sellers of old gold at a counter: recognized by a hash, shown masked, and examined where the law asks for it.

The venue keeps salted hashes of a person's identity document and name, both masked, and the record of due diligence;
the copy of the document stays with the member, under the reference given here. There is one salt for the whole venue,
so that a seller is the same at every member's counter; scrypt makes guessing numbers from the hash slow.
"""

import asyncio
import hmac
import re
import secrets
from hashlib import scrypt
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, identity_numbers
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.spelling import fold
from settlement.base.texts import masked, printable
from settlement.tables.recycling import ID_TYPES, due_diligence, identity_salt, seller

DUE_DILIGENCE_DAYS: Final = 365
"""Days for which due diligence on a seller is valid."""


class Identity(NamedTuple):
    """The content of an identity document. It is never stored."""

    id_type: str
    number: str
    name: str


def checked(id_type: str, number: str, name: str) -> Identity:
    """Return an identity as it is compared.

    Raises BadValue, which never shows the number, for an unknown kind of document, a number that it cannot have
    (``settlement.base.identity_numbers``), or a name that is empty, too long or not printable.
    """
    if id_type not in ID_TYPES:
        raise BadValue("id_type", id_type, "one of " + ", ".join(ID_TYPES))
    if id_type == "RESIDENT_ID":
        compared = identity_numbers.resident_id("id_number", number)
    else:
        compared = number.strip().upper()
        if re.fullmatch(r"[A-Z0-9]{5,20}", compared) is None:
            raise BadValue("id_number", "*" * len(compared), "5 to 20 letters and digits")
        identity_numbers.check_if_resident_id("id_number", compared)
    _check_name(name)
    return Identity(id_type, compared, name.strip())


def _check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= 64 or not name.isprintable() or not fold(name):
        raise BadValue("name", "*" * len(name), "printable text of 1 to 64 characters")


def masked_number(number: str) -> str:
    """Return a number with its first three and last two characters alone, a short one with its last two.

    That is enough to compare it with a copy, and not enough to use it.
    """
    return masked(number, 3 if len(number) > 8 else 0, 2)


async def _hash(connection: AsyncConnection, text: str) -> bytes:
    fresh = insert_or(identity_salt).values(one=1, salt=secrets.token_bytes(32)).on_conflict_do_nothing()
    await connection.execute(fresh)
    salt = (await connection.execute(select(identity_salt.c.salt))).scalar_one()
    return await asyncio.to_thread(scrypt, text.encode(), salt=salt, n=2**14, r=8, p=1)


async def _hash_of_name(connection: AsyncConnection, seller_hash: bytes, name: str) -> bytes:
    """Return the hash of a person's name, which differs for two people of the same name."""
    return await _hash(connection, f"{seller_hash.hex()}:{fold(name)}")


async def recognize(connection: AsyncConnection, by: str, identity: Identity) -> Row[Any]:
    """Return the seller with this identity document, who is registered if new.

    Raises Refused (OTHER_NAME) if the document's number is known with another name, which is not disclosed.
    """
    digest = await _hash(connection, f"{identity.id_type}:{identity.number}")
    named = await _hash_of_name(connection, digest, identity.name)
    values = {
        "identity_hash": digest,
        "id_type": identity.id_type,
        "masked_number": masked_number(identity.number),
        "masked_name": masked(identity.name, 1),
        "first_seen": now_ms(),
        "name_hash": named,
        "named_by": by,
    }
    added = insert_or(seller).values(values).on_conflict_do_nothing().returning(seller.c.seller_id)
    number = await connection.scalar(added)
    if number is not None:
        shown = {key: values[key] for key in ("id_type", "masked_number", "masked_name")}
        await audit.record(connection, audit.Act(by, "seller.add", f"seller:{number}", shown))
    row = (await connection.execute(select(seller).where(seller.c.identity_hash == digest))).one()
    if row.name_hash is None and row.masked_name == values["masked_name"]:
        # Registered before names were hashed: only the masked name can be compared.
        learnt = update(seller).where(seller.c.seller_id == row.seller_id)
        await connection.execute(learnt.values(name_hash=named, named_by=by))
    elif row.name_hash is None or not hmac.compare_digest(row.name_hash, named):
        text = f"this number is that of seller {row.seller_id}, who has another name: one of the two is wrong"
        raise Refused("OTHER_NAME", text)
    return row


async def correct_name(connection: AsyncConnection, by: str, seller_id: int, name: str, document: str) -> None:
    """Record a seller's right name, by the paper that proves it: it was mistyped, or the person has a new one.

    Raises BadValue; Refused (SAME_PERSON) for the person who recorded the name that is replaced.
    """
    _check_name(name)
    printable("document", document, 64)
    row = await find(connection, seller_id, lock=True)
    if row.named_by == by:
        raise Refused("SAME_PERSON", f"{by} has recorded the name of seller {seller_id}; another person corrects it")
    named = await _hash_of_name(connection, row.identity_hash, name.strip())
    values = {"name_hash": named, "masked_name": masked(name.strip(), 1), "named_by": by}
    await connection.execute(update(seller).where(seller.c.seller_id == seller_id).values(values))
    about = {"from": row.masked_name, "to": values["masked_name"], "document": document}
    await audit.record(connection, audit.Act(by, "seller.correct_name", f"seller:{seller_id}", about))


async def find(connection: AsyncConnection, seller_id: int, *, lock: bool = False) -> Row[Any]:
    """Return a seller by number. Raises BadValue."""
    query = select(seller).where(seller.c.seller_id == seller_id)
    if lock:
        await audit.lock(connection)
        query = query.with_for_update(key_share=True)
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("seller", seller_id, "the number of a seller")
    return row


async def record_due_diligence(
    connection: AsyncConnection, by: str, seller_id: int, document: str, findings: str
) -> int:
    """Record due diligence, with the place of its papers and its findings about person and gold; return its number."""
    for field, text, longest in (("document", document, 64), ("findings", findings, 500)):
        printable(field, text, longest)
    await find(connection, seller_id, lock=True)
    values = {"seller_id": seller_id, "at": now_ms(), "by": by, "document": document, "findings": findings}
    added = insert(due_diligence).values(values).returning(due_diligence.c.due_diligence_no)
    number = int((await connection.execute(added)).scalar_one())
    about = {"due_diligence": number, "document": document}
    await audit.record(connection, audit.Act(by, "seller.due_diligence", f"seller:{seller_id}", about))
    return number


async def has_due_diligence(connection: AsyncConnection, seller_id: int, payer: str) -> bool:
    """Return whether another person than the payer has done due diligence on a seller that is still valid."""
    since = now_ms() - DUE_DILIGENCE_DAYS * 86_400_000
    query = select(due_diligence.c.due_diligence_no)
    query = query.where(due_diligence.c.seller_id == seller_id, due_diligence.c.at >= since)
    query = query.where(due_diligence.c.by != payer)
    return await connection.scalar(query.limit(1)) is not None
