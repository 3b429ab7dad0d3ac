"""The client's results have the fields of the forms that the gateway writes; neither can import the other."""

from typing import Any, get_type_hints

import msgspec
import pytest

from api.view import records
from api.view.deals import DealForm
from api.view.request_forms import QuoteForm, RequestForm
from goldx.client import results

FORMS = {
    records.OrderForm: results.Order,
    records.OwnTradeForm: results.OwnTrade,
    DealForm: results.Deal,
    QuoteForm: results.RequestQuote,
    RequestForm: results.QuoteRequest,
}


@pytest.mark.parametrize("form", FORMS)
def test_the_client_s_result_has_the_fields_of_the_form(form: Any) -> None:
    result: Any = FORMS[form]
    fields = msgspec.structs.fields(form)
    types: dict[str, Any] = get_type_hints(result)
    assert list(types) == [field.name for field in fields]
    left_out = {field.name for field in fields if not field.required}
    assert left_out == set(result.__optional_keys__), "only what the gateway leaves out at its default is not required"
    assert all(types[field.name] == field.type for field in fields if field.required)


@pytest.mark.parametrize("name", ["Placed", "Cancelled"])
def test_the_client_s_answer_has_the_fields_of_the_gateway_s(name: str) -> None:
    assert list(get_type_hints(getattr(results, name))) == list(getattr(records, name).__struct_fields__)
