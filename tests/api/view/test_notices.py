"""Notices through the real gateway: published by an operator, seen by everybody, acknowledged by members."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from api.view.channels import KEPT
from api.view.notices import Notices
from goldx.cli import main
from goldx.client.errors import ExchangeError
from goldx.client.session import ExchangeClient, connect
from goldx.protocol.notice_events import NoticeAcknowledged, NoticePublished
from tests.api.conftest import Desk
from tests.http_client import http_client

TITLE = "The vault is closed on Monday"
TEXT = "No metal is taken in or handed over.\nTrading goes on."


async def publish(desk: Desk, **more: Any) -> int:
    (event,) = await desk.services.operate(desk.server, "notice.publish", title=TITLE, text=TEXT, **more)
    number: int = event["notice_id"]
    return number


async def newest(client: ExchangeClient) -> dict[str, Any]:
    return (await client.notices(limit=1))[0]


async def answers(desk: Desk, number: int, key: str = "op") -> httpx.Response:
    headers = {"Authorization": f"Bearer {desk.services.keys[key].bearer_token()}"}
    async with http_client(desk.server.url, timeout=60) as http:
        return await http.get(f"/v1/notices/{number}/answers", headers=headers)


async def test_everybody_sees_a_notice_at_once_and_later(desk: Desk) -> None:
    async with connect(desk.server.url) as public:
        messages = public.subscribe("notice", from_sequence=desk.server.gateway.view.notices.channel.sequence)
        number = await publish(desk, title_zh="金库星期一关闭", text_zh="交易照常。")
        message = await anext(messages)
        shown = {
            "notice_id": number,
            "title": TITLE,
            "text": TEXT,
            "title_zh": "金库星期一关闭",
            "text_zh": "交易照常。",
        }
        assert message["data"] == {**shown, "at": message["at"], "to_acknowledge": False}
        assert await newest(public) == {**shown, "at": message["at"]}
        await messages.aclose()
    async with http_client(desk.server.url, timeout=60) as http:
        listed = (await http.get("/v1/notices", params={"limit": 1})).json()
    assert listed["notices"] == [{**shown, "at": message["at"]}]
    assert listed["next"] == (str(number) if number > 1 else None)


async def test_a_long_text_in_chinese_with_indented_paragraphs_arrives_as_it_is(desk: Desk) -> None:
    text = "\n\n".join(["\u3000\u3000各会员单位：金库星期一关闭。"] * 200)[:4_000]
    number = await publish(desk, title_zh="公告\u3000第一号", text_zh=text)
    async with connect(desk.server.url) as public:
        found = await newest(public)
    assert (found["notice_id"], found["title_zh"], found["text_zh"]) == (number, "公告\u3000第一号", text)


async def test_members_acknowledge_and_the_venue_sees_who_has_not(desk: Desk) -> None:
    number = await publish(desk, to_acknowledge=True)
    async with desk.services.member(desk.server) as member, desk.services.member(desk.server, "FIRM-B") as other:
        assert (await newest(member))["to_acknowledge"] is True
        done = await member.acknowledge(desk.a, number)
        assert (done["notice_id"], done["to_acknowledge"]) == (number, False)
        assert await newest(member) == done
        assert (await newest(other))["to_acknowledge"] is True
        with pytest.raises(ExchangeError) as again:
            await member.acknowledge(desk.a, number)
        assert again.value.reason == "UNKNOWN_NOTICE"
        assert again.value.data["field"] == "notice_id"
        with pytest.raises(ExchangeError, match="UNKNOWN_ACCOUNT"):
            await other.acknowledge(desk.a, number)
    found = (await answers(desk, number)).json()
    assert found["acknowledged"] == [{"member": "FIRM-A", "at": done["acknowledged_at"]}]
    assert "FIRM-B" in found["missing"]
    assert found["by"] == "op"
    assert (await answers(desk, number, "FIRM-A")).status_code == 403
    assert (await answers(desk, 10**9)).status_code == 404

    newer = await publish(desk, replaces=number)
    async with desk.services.member(desk.server, "FIRM-B") as other:
        first = next(one for one in await other.notices() if one["notice_id"] == number)
        assert (first["replaced_by"], first["to_acknowledge"]) == (newer, False)
    assert (await answers(desk, number)).json()["missing"] == []


async def test_a_list_of_notices_comes_in_pages(desk: Desk) -> None:
    numbers = [await publish(desk) for _ in range(3)]
    async with connect(desk.server.url) as public:
        page = await public.call("notice.list", limit=2)
        assert [one["notice_id"] for one in page["notices"]] == numbers[:0:-1]
        assert page["next"] == numbers[1]
        assert (await public.notices(limit=1, before=page["next"]))[0]["notice_id"] == numbers[0]


async def test_a_notice_that_cannot_be_is_refused_with_its_field(desk: Desk) -> None:
    notices: list[tuple[dict[str, Any], str]] = [
        ({"title": "", "text": TEXT}, "title"),
        ({"title": "two\nlines", "text": TEXT}, "title"),
        ({"title": TITLE, "text": " \n "}, "text"),
        ({"title": TITLE, "text": "x" * 4_001}, "text"),
        ({"title": TITLE, "text": "a\x07bell"}, "text"),
        ({"title": TITLE, "text": TEXT, "to_acknowledge": 1}, "to_acknowledge"),
        ({"title": TITLE, "text": TEXT, "replaces": 10**9}, "replaces"),
    ]
    for params, field in notices:
        answer = await desk.services.ask_operator(desk.server, "notice.publish", params)
        assert answer.status_code in (404, 422), params
        assert answer.json()["field"] == field, params


def test_the_oldest_notices_are_forgotten() -> None:
    kept = Notices()
    for number in range(1, KEPT + 3):
        kept.publish(NoticePublished(number, number, number, TITLE, TEXT, None, None, "op", ("m1",)))
        kept.acknowledge(NoticeAcknowledged(number, number, "A", "m1", number))
    assert list(kept.by_id) == list(range(3, KEPT + 3))
    assert kept.acknowledged.keys() == kept.by_id.keys()
    kept.acknowledge(NoticeAcknowledged(1, 1, "A", "m1", 1))
    assert 1 not in kept.acknowledged
    assert kept.of_member(1, "m1") == {"notice_id": 1}
    kept.publish(NoticePublished(KEPT + 3, 1, KEPT + 3, TITLE, TEXT, None, None, "op", None, 1))
    assert kept.replaced_by == {}, "nothing is recorded about a notice that is no longer kept"


def test_a_member_that_has_left_is_not_missing() -> None:
    kept = Notices()
    notice = NoticePublished(1, 1, 1, TITLE, TEXT, None, None, "op", ("m1", "m2"))
    kept.publish(notice)
    assert kept.write_answers(notice, {"m1": ["A"], "m2": []})["missing"] == ["m1"]


async def test_the_commands_show_notices_and_answers(desk: Desk, tmp_path: Path) -> None:
    number = await publish(desk, title_zh="金库星期一关闭", text_zh="交易照常。", to_acknowledge=True)
    key = tmp_path / "op.pem"
    desk.services.keys["op"].save(key)

    async def goldx(*words: str) -> str:
        made = await asyncio.to_thread(CliRunner().invoke, main, ["notice", *words, "--url", desk.server.url])
        assert made.exit_code == 0, made.output
        return made.output

    head, *lines = (await goldx("list", "--limit", "1")).splitlines()
    assert head.startswith(f"{number}  20")
    assert head.endswith(f"{TITLE}  (to be acknowledged by members)")
    assert [line.strip() for line in lines[:4]] == [*TEXT.splitlines(), "金库星期一关闭", "交易照常。"]
    assert json.loads((await goldx("list", "--limit", "1", "--json")).splitlines()[0])["notice_id"] == number
    assert "FIRM-A" in json.loads(await goldx("answers", str(number), "--key", str(key)))["missing"]
    newest = await publish(desk, replaces=number)
    assert "(to be acknowledged" not in await goldx("list", "--limit", "2"), "the older one is replaced"
    *_, more = (await goldx("list", "--limit", "1")).splitlines()
    assert more == f"more follow: --after {newest}"
    older = await goldx("list", "--limit", "1", *more.split()[2:], "--json")
    assert json.loads(older.splitlines()[0])["notice_id"] == number
