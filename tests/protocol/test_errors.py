"""Close codes and what they tell a client to do."""

import pytest
from vetchat_protocol import CloseCode, Closing, LocalProtocolError, ProtocolError, Refusal, RemoteProtocolError, errors
from vetchat_protocol.errors import Code

CLOSE_CODES = [value for value in vars(errors).values() if isinstance(value, CloseCode)]


@pytest.mark.clause("V5.2")
def test_every_close_code_has_its_number_on_each_wire() -> None:
    assert {close.code: close.base_code for close in CLOSE_CODES} == {
        4001: 1008,
        4003: 1008,
        4008: 1008,
        4100: 1013,
        4108: 1008,
        4109: 1013,
        4110: 1013,
        4200: 1001,
        4201: 1011,
        4202: 4202,
    }


@pytest.mark.clause("V5.2")
@pytest.mark.parametrize("close", CLOSE_CODES, ids=lambda close: str(close.code))
def test_a_close_reason_is_a_sentence_of_at_most_123_bytes(close: CloseCode) -> None:
    assert close.reason.endswith(".")
    assert len(close.reason.encode()) <= 123


@pytest.mark.clause("V2.3")
def test_the_codes_stand_in_the_order_in_which_they_are_checked() -> None:
    assert list(Code) == [
        "invalid_json", "invalid_envelope", "rate_limited", "hello_required", "unknown_event", "sender_mismatch",
        "invalid_params", "forbidden_role", "not_found", "idempotency_conflict", "unavailable", "internal",
    ]  # fmt: skip


def test_an_error_says_whose_fault_it_is() -> None:
    assert issubclass(Refusal, RemoteProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    assert all(issubclass(error, ProtocolError) for error in (LocalProtocolError, RemoteProtocolError, Closing))
    assert str(Refusal(Code.NOT_FOUND, "No.")) == "not_found: No."
