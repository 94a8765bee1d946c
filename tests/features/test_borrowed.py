"""Who acts through a client of somebody else, or asks for tokens that others ask for: signs of what was stolen."""

from __future__ import annotations

import pytest
from builders import event

CART, PAY, EVE = "system:serviceaccount:shop:cart", "system:serviceaccount:shop:pay", "eve"
CURL = {"agent": "curl/8.1", "ip": "10.0.9.9"}


def _past(user, agent, address, type_="workload"):
    return [(user, type_, "agent", agent), (user, type_, "client", f"{agent} {address}")]


OWN = _past(CART, "cart", "10.0.0.7")
TOKEN = {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "name": "web"}


def _borrowed(night, *events, past=()):
    return {user: day["borrowed_clients"] for user, day in night(*events, past=past).days.items()}


def test_a_client_that_another_had_before_is_borrowed(night):
    past = [*OWN, *_past(PAY, "curl", "10.0.9.9")]
    assert _borrowed(night, event(user=CART, **CURL), past=past) == {CART: 1}


def test_a_client_that_two_start_on_one_night_is_borrowed_by_both(night):
    past = [*OWN, *_past(PAY, "pay", "10.0.0.8")]
    assert _borrowed(night, event(user=CART, **CURL), event(user=PAY, **CURL), past=past) == {CART: 1, PAY: 1}


def test_a_new_client_that_nobody_else_uses_is_new_and_not_borrowed(night):
    assert _borrowed(night, event(user=CART, **CURL), past=OWN) == {CART: 0}


def test_an_own_agent_at_an_address_of_others_is_not_borrowed(night):
    past = [*OWN, *_past(PAY, "cart", "10.0.9.9")]
    assert _borrowed(night, event(user=CART, agent="cart/2", ip="10.0.9.9"), past=past) == {CART: 0}


@pytest.mark.parametrize(("user", "type_", "found"), [(CART, "workload", 1), (EVE, "person", 0)])
def test_on_a_first_night_only_a_program_can_borrow(night, user, type_, found):
    past = _past("bob" if type_ == "person" else PAY, "curl", "10.0.9.9", type_)
    assert _borrowed(night, event(user=user, **CURL), past=past) == {user: found}


def test_a_person_of_many_nights_can_borrow(night):
    past = [*_past(EVE, "kubectl", "198.51.100.7", "person"), *_past("bob", "curl", "10.0.9.9", "person")]
    assert _borrowed(night, event(user=EVE, **CURL), past=past) == {EVE: 1}


@pytest.mark.parametrize(
    ("past", "found"),
    [
        ([*OWN, (PAY, "workload", "token_account", "shop/web")], 1),
        ([*OWN, (CART, "workload", "token_account", "shop/web")], 0),
        (OWN, 0),
        ([(PAY, "workload", "token_account", "shop/web")], 0),
    ],
    ids=["others asked for it", "its own", "nobody ever did", "on a first night"],
)
def test_an_account_is_borrowed_by_who_asks_first_for_tokens_that_others_ask_for(night, past, found):
    day = night(event(user=CART, **TOKEN), past=past).days[CART]
    assert day["borrowed_token_accounts"] == found
    assert day["borrowed_clients"] == 0


def test_an_account_that_is_new_to_all_is_borrowed_by_nobody_who_asks_for_it(night):
    days = night(
        *(event(user=user, **TOKEN) for user in (CART, PAY)), past=[*OWN, *_past(PAY, "cart", "10.0.0.7")]
    ).days
    assert [days[user]["borrowed_token_accounts"] for user in (CART, PAY)] == [0, 0]
