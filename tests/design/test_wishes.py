"""Wishes: what a user may write, and what is refused."""

import math
import re

import pytest

from polyinv.chemistry import load_system
from polyinv.design.wishes import wishes
from polyinv.errors import InputError

SYSTEM = load_system()


@pytest.mark.parametrize(
    ("text", "name", "low", "high"),
    [
        ("Mn=25000±5%", "Mn", 23750, 26250),
        ("Mn = 25 kg/mol +- 1 kg/mol", "Mn", 24000, 26000),
        ("Mn=25000", "Mn", 24500, 25500),
        ("Mw=40 to 60 kg/mol", "Mw", 40000, 60000),
        ("Mp=40000..60000", "Mp", 40000, 60000),
        ("Đ<2.4", "D", -math.inf, 2.4),
        ("PDI ≤ 2.4", "D", -math.inf, 2.4),
        ("D=2.0+/-0.1", "D", 1.9, 2.1),
        ("conversion>=90%", "conversion", 0.9, math.inf),
        ("conversion=40 to 50%", "conversion", 0.4, 0.5),
        ("conversion=0.4±2%", "conversion", 0.38, 0.42),
        ("time<=1 h", "time", -math.inf, 3600),
        ("temp=343.15 K", "temp", 70, 70),
        ("T=70", "temp", 70, 70),
        ("t=600", "time", 600, 600),
        ("conversion=90%±2", "conversion", 0.88, 0.92),
        ("initiator<=10 mmol/L", "cAIBN_0", -math.inf, 0.01),
        ("initiator=5 to 10 mmol/L", "cAIBN_0", 0.005, 0.01),
        ("conversion=60-70%", "conversion", 0.6, 0.7),
        ("conversion=60±5%", "conversion", 0.55, 0.65),
        ("temp=335..338 K", "temp", 61.85, 64.85),
    ],
)
def test_a_wish_is_read(text, name, low, high):
    (wish,) = wishes([text], SYSTEM)
    assert wish.name == name
    assert (wish.low, wish.high) == pytest.approx((low, high))


def test_two_wishes_for_one_thing_hold_together():
    (wish,) = wishes(["Mn>20000", "Mn<30000"], SYSTEM)
    assert (wish.low, wish.high) == (20000, 30000)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["Mn"], "is no wish; needs a name"),
        (["Mn="], "is no wish"),
        (["Mn=many"], "needs a number"),
        (["M=5"], "no property or value of the recipe 'M'; known: D, Mn"),
        (["Mn=-5"], "no polymer has it; needs Mn above 0"),
        (["D<1"], "no polymer has it; needs D above 1"),
        (["D=2 g/mol"], "needs a number without a unit"),
        (["Mn=25 °C"], "needs a number in"),
        (["conversion=120%"], "needs conversion from 0 to 1"),
        (["temp=95"], "no recipe has it; needs temp from 60 to 80 °C, the box of butyl_acrylate"),
        (["Mw=60000 to 40000"], "needs the smaller number first"),
        (["D<2±0.1"], "needs a single number behind <"),
        (["D<2,400"], "decimals with a point"),
        (["Mn=25000±500%"], "a band as wide as the number says nothing"),
        (["conversion=0.9±50"], "a band as wide as the number says nothing"),
        (["Mn=25000", "Mn>30000"], "contradict each other"),
        (["Mn=25"], "is no polymer and looks like kg/mol; write its unit, such as Mn=25 kg/mol"),
        (["Mw>=50"], "looks like kg/mol"),
        (["temp=343.15±1 K"], "no recipe has it; .* if it is K, it is 70 °C"),
        (["time=60"], "if it is min, it is 3600 s"),
        (["temp=70±1%"], "needs what stands behind ± in °C"),
        (["conversion=0.6-70%"], "0.6 may be 0.006 or 0.6; write the unit behind both numbers"),
        (["temp=65 to 343.15 K"], "65 may be -208.15 or 65"),
        (["conversion<=90"], "needs conversion from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(given, said):
    with pytest.raises(InputError, match=said) as error:
        wishes(given, SYSTEM)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("temp<=343.15", "excludes nothing: .* if it is K, it is 70 °C"),
        ("cAIBN_0<=10", "excludes nothing: .* if it is mmol/L, it is 0.01 mol/L"),
        ("time>=30", "excludes nothing: .* if it is min, it is 1800 s"),
        ("temp=65 to 343.15", "temp=65 to 343.15: .* if it is K"),
        ("time<=10 h", "excludes nothing: time is 300 to 3600 s in the box of butyl_acrylate"),
        ("temp<=80", "^$"),
        ("time>=300 s", "^$"),
    ],
)
def test_a_wish_that_excludes_nothing_is_doubted(text, said):
    (wish,) = wishes([text], SYSTEM)
    assert re.search(said, wish.doubt)


def test_roles_stand_for_the_columns_of_any_system():
    (wish,) = wishes(["solvent<=6 mol/L"], load_system("MMA"))
    assert (wish.name, wish.high) == ("cToluene", 6.0)
    with pytest.raises(InputError, match="no property or value of the recipe 'agent'"):
        wishes(["agent<=0.01"], load_system("MMA"))
