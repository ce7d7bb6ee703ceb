"""Systems as files: what the shipped ones hold, and how bad ones are refused."""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml

from polyinv.chemistry import BUTYL_ACRYLATE, SYSTEMS, System, load_system
from polyinv.chemistry.butyl_acrylate import COLUMNS, CONDITIONS, RECIPE, SCALARS, TARGETS
from polyinv.chemistry.coefficients_file import agents, initiators
from polyinv.chemistry.kinetics import RateCoefficients
from polyinv.chemistry.measures import CONCENTRATION, DENSITY, ENERGY, FIRST_ORDER, RATIO, SECOND_ORDER, measure
from polyinv.chemistry.system_file import read_system
from polyinv.cli import main
from polyinv.data.bundled import load_bundled
from polyinv.errors import InputError

DOMAIN = Path(__file__).parents[2] / "polyinv" / "domain"
TOY = Path(__file__).parents[1].joinpath("data", "toy.yaml").read_text(encoding="utf-8")

SOLVENT = (
    "solvent:\n  name: water\n  symbol: W\n  molar_mass: 18 g/mol\n"
    "  density: {value: 980 kg/m3, temp: 70 °C, source: made up}\n"
)
K_TRS = "  k_trS: {times: k_p, A: 1e-5, E_a: -3 kJ/mol, source: made up}\n"
BOMB = (
    "".join(f"[&a{depth} " for depth in range(12)) + "x" + "".join(f", {', '.join(['*a11'] * 9)}]" for _ in range(12))
)


def at_70(law):
    return law(torch.tensor(70.0, dtype=torch.float64)).item()


@pytest.fixture
def file_of(tmp_path):
    """A file of the toy system with parts of its text replaced."""

    def write(*changes):
        text = TOY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "my.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_system(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", SYSTEMS)
def test_contract(name):
    system = load_system(name)
    chemistry = system.chemistry
    assert system.name == chemistry.name == name
    assert [quantity.label for quantity in system.recipe[:3]] == ["initial monomer", "initial initiator", "temperature"]
    assert system.targets[2] == "temp"
    assert system.targets[-1] == "time"
    assert len(system.conditions) == 3 + len(chemistry.extras)
    assert len(set(system.columns)) == len(system.columns)
    assert set(chemistry.range) == set(system.targets)
    for quantity in system.recipe:
        low, high = chemistry.range[quantity.name]
        assert low <= quantity.low < quantity.high <= high
    laws = {law: getattr(chemistry, law) for law in RateCoefficients.__dataclass_fields__}
    stated = {law for law, coefficient in laws.items() if coefficient is not None}
    for law in stated:
        assert laws[law].source
        assert at_70(laws[law]) > 0
        assert system.uncertainty[law].sd > 0
        assert system.uncertainty[law].sd_E_a > 0
    assert set(system.uncertainty) == stated | set(system.sources) & {"f", "d_ss", "d_st", "d_tt"}
    assert {"f", "d_ss"} <= set(system.sources)
    assert chemistry.note
    assert all(set(system.columns) <= set(load_bundled(bundled).columns) for bundled in system.bundled)
    assert system.limits is None or (DOMAIN / system.limits).is_file()


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize(
    "kept", [lambda plain: json.loads(json.dumps(plain)), lambda plain: yaml.safe_load(yaml.dump(plain))]
)
def test_a_system_comes_back_from_plain_values(name, kept):
    system = load_system(name)
    again = System.from_dict(kept(system.as_dict()))
    assert again == system
    assert hash(again) == hash(system)


def test_what_is_no_stored_system_is_refused():
    with pytest.raises(InputError, match="no stored system"):
        System.from_dict({"name": "x"})
    with pytest.raises(InputError, match="no stored system"):
        System.from_dict(load_system("styrene").as_dict() | {"more": 1})


DAMAGED = {
    "a name that is none": (["name"], "../toy", "the system.name, ../toy, is not a name"),
    "a number as text": (["chemistry", "f"], "0.5", "chemistry.f, 0.5, is not a number from 1e-300 to 1"),
    "no number": (["chemistry", "coefficients", "k_p", "A"], float("nan"), "k_p.A, nan, is not a number from 1e-300"),
    "no coefficient": (["chemistry", "coefficients", "k_p"], None, "coefficients is not k_d, k_p and k_tss"),
    "a range of another": (["chemistry", "range"], {"cBA_0": [1, 2]}, "range is not ranges of the recipe"),
    "a box upside down": (["recipe", 0, "high"], 0.1, "recipe.cT_0 is not a range"),
    "a column twice": (["recipe", 1, "name"], "cT_0", "recipe is not a recipe"),
    "a text that moves the cursor": (["chemistry", "note"], "\x1b[2J", "chemistry.note, ?[2J, is not text"),
    "limits elsewhere": (["limits"], "/etc/passwd", "the system.limits, /etc/passwd, is not a name"),
    "a key that is none": (["more"], 1, "the system, more, is not among name, title"),
}


@pytest.mark.parametrize(("path", "value", "said"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_stored_system_is_refused(path, value, said, file_of):
    plain = json.loads(json.dumps(load_system(file_of()).as_dict()))
    inner = plain
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(InputError) as caught:
        System.from_dict(plain)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_butyl_acrylate_is_the_system_that_all_began_with():
    system = load_system("butyl_acrylate")
    assert system.chemistry == BUTYL_ACRYLATE
    assert system.recipe == RECIPE
    assert (system.targets, system.conditions, system.scalars, system.columns) == (
        TARGETS,
        CONDITIONS,
        SCALARS,
        COLUMNS,
    )


@pytest.mark.parametrize("name", ["methyl_methacrylate", "styrene"])
def test_linear_systems_have_no_mid_chain_radicals_and_a_solvent_in_the_recipe(name):
    chemistry = load_system(name).chemistry
    assert chemistry.k_bb is chemistry.k_pt is chemistry.k_tst is chemistry.k_ttt is None
    assert chemistry.extras == ("solvent",)
    recipes = torch.tensor([[2.0, 0.01, 70.0, 5.5]], dtype=torch.float64)
    assert chemistry.under(recipes).k_trS.item() == pytest.approx(5.5 * at_70(chemistry.k_trS))


def test_known_numbers_of_the_new_systems():
    mma, styrene = load_system("methyl_methacrylate").chemistry, load_system("styrene").chemistry
    # Transfer constants as their sources have them: 25 exp(-38.1 kJ/mol / RT); 1.25e-5 at 60 °C.
    assert at_70(mma.k_trS) / at_70(mma.k_p) == pytest.approx(3.96e-5, rel=0.01)
    sixty = torch.tensor(60.0, dtype=torch.float64)
    assert (styrene.k_trS(sixty) / styrene.k_p(sixty)).item() == pytest.approx(1.25e-5, rel=0.01)
    # k_p at 60 °C of the IUPAC benchmarks: 8.3e2 and 3.4e2 L/mol/s.
    assert mma.k_p(sixty).item() == pytest.approx(833, rel=0.03)
    assert styrene.k_p(sixty).item() == pytest.approx(341, rel=0.01)


def test_styrene_takes_its_initiator_from_the_table():
    styrene = load_system("styrene")
    assert styrene.chemistry.k_d.A == 1.58e15
    assert styrene.chemistry.f == initiators()["AIBN"]["f"]["value"]
    assert styrene.sources["f"].startswith("assumed")


@pytest.mark.parametrize("name", initiators())
def test_half_an_initiator_is_gone_in_ten_hours_at_the_stated_temperature(name, file_of):
    system = load_system(file_of(("name: AIBN", f"name: {name}")))
    stated = initiators()[name]["half_life_10h"]["value"].split()[0]
    half_life = 0.6931 / system.chemistry.k_d(torch.tensor(float(stated), dtype=torch.float64)).item() / 3600
    # 1.3 kJ/mol, or 3 K, are a factor of 1.6: what sources that were measured apart from each other differ by.
    assert 10 / 1.6 < half_life < 10 * 1.6


@pytest.mark.parametrize("agent", agents())
@pytest.mark.parametrize("name", SYSTEMS)
def test_an_agent_of_the_table_is_two_lines_more(agent, name, tmp_path):
    plain = yaml.safe_load(SYSTEMS[name].read_text(encoding="utf-8"))
    plain.pop("bundled", None)
    plain["name"] = "with_agent"
    plain["agent"] = {"name": agent, "symbol": "RSH"}
    plain["recipe"]["agent"] = {"range": "0.001 to 0.05 mol/L"}
    path = tmp_path / "with_agent.yaml"
    path.write_text(yaml.dump(plain, allow_unicode=True), encoding="utf-8")
    system = load_system(path)
    assert "cRSH_0" in system.conditions
    assert system.chemistry.extras[-1] == "agent"
    constant = at_70(system.chemistry.k_trA) / at_70(system.chemistry.k_p)
    assert constant == pytest.approx(float(agents()[agent]["transfer"][system.chemistry.monomer]["A"]))
    assert "times k_p" in system.chemistry.k_trA.source


def test_units_are_converted_and_numbers_may_be_text(file_of):
    system = load_system(file_of())
    initiator, time = system.recipe[1], system.recipe[-1]
    assert (initiator.low, initiator.high, initiator.unit) == (0.0025, 0.02, "mol/L")
    assert (time.low, time.high, time.span, time.unit) == (1800.0, 7200.0, 5400.0, "s")
    assert system.recipe[3].low == 1e-3  # YAML takes 1e-3 for text
    assert system.chemistry.k_tss.E_a == 8000.0
    assert system.chemistry.k_trS.E_a == 17000.0
    assert system.chemistry.k_p.measured == (50.0, 50.0)
    assert system.uncertainty["k_p"].sd == 0.1
    assert system.uncertainty["k_tss"].sd is None
    assert measure("here", 1, RATIO) == measure("here", "1e0", RATIO) == 1.0


def test_a_solvent_outside_the_recipe_fills_the_volume_that_the_monomer_leaves(file_of):
    chemistry = load_system(file_of()).chemistry
    assert chemistry.extras == ("agent",)
    # 2 mol/L are 200 g of 0.9 g/mL; the rest of a litre is water of 0.98 g/mL.
    recipes = torch.tensor([[2.0, 0.01, 70.0, 0.01]], dtype=torch.float64)
    assert chemistry.solvent_under(recipes).item() == pytest.approx((1 - 200 / 900) * 980 / 18)
    assert chemistry.agent_under(recipes).item() == 0.01


def test_a_solvent_of_the_recipe_needs_no_density(file_of):
    path = file_of(
        ("  agent: {range", "  solvent: {range: 1 to 50 mol/L}\n  agent: {range"),
        ("  molar_mass: 18 g/mol\n  density: {value: 980 kg/m3, temp: 70 °C, source: made up}\n", ""),
    )
    system = load_system(path)
    assert system.conditions == ("cT_0", "cAIBN_0", "temp", "cW", "cSH_0")
    assert system.chemistry.solvent.molar_volumes is None


BAD = {
    "unknown key": ([("title:", "titel:")], "my.yaml: titel: no key 'titel'; known: agent, bundled"),
    "unknown key of a section": ([("molar_mass: 100", "mass: 100")], "my.yaml: monomer.mass: no key 'mass'; known"),
    "unknown coefficient": ([("  k_tss:", "  k_t:")], "my.yaml: coefficients.k_t: no key 'k_t'; known: k_bb"),
    "missing coefficient": (
        [("  k_tss: {A: 1e9 L/mol/s, E_a: 8000 J/mol, source: made up}\n", "")],
        "my.yaml: coefficients.k_tss is missing; every system needs k_d, k_p, k_tss",
    ),
    "part of the mid-chain radicals": (
        [("  k_p:", "  k_bb: {A: 1e7 1/s, E_a: 30 kJ/mol, source: made up}\n  k_p:")],
        "my.yaml: coefficients.k_pt is missing; there is k_bb, and mid-chain radicals need k_bb, k_pt, k_tst, k_ttt",
    ),
    "solvent without transfer": (
        [("  k_trS: {times: k_p, A: 1e-5, E_a: -3 kJ/mol, source: made up}\n", "")],
        "my.yaml: coefficients.k_trS is missing; the solvent water needs it",
    ),
    "missing source": (
        [("E_a: 8000 J/mol, source: made up", "E_a: 8000 J/mol")],
        "coefficients.k_tss.source is missing",
    ),
    "negative A": ([("A: 1e9", "A: -1e9")], "my.yaml: coefficients.k_tss.A is -1e9 L/mol/s; needs more than 0 L/mol/s"),
    "infinite A": ([("A: 1e9", "A: 1e999")], "coefficients.k_tss.A is 1e999 L/mol/s; needs a number that a computer"),
    "J for kJ": (
        [("E_a: 20 kJ", "E_a: 20000 kJ")],
        "my.yaml: coefficients.k_p.E_a is 20000 kJ/mol; needs 0, or 0.5 to 400 kJ/mol; was 20000 J/mol meant?",
    ),
    "kJ for J": (
        [("E_a: 8000 J/mol", "E_a: 8 J/mol")],
        "my.yaml: coefficients.k_tss.E_a is 8 J/mol; needs 0, or 0.5 to 400 kJ/mol; was 8 kJ/mol meant?",
    ),
    "no unit": ([("E_a: 20 kJ/mol", "E_a: 20")], "k_p.E_a is 20, which has no unit; needs kJ/mol or J/mol"),
    "another unit": ([("A: 1e9 L/mol/s", "A: 1e9 1/s")], "k_tss.A is 1e9 1/s, which has the unit 1/s; needs L/mol/s"),
    "no number": ([("A: 1e9 L/mol/s", "A: fast")], "k_tss.A is fast; needs a number with its unit, L/mol/s"),
    "a date": ([("A: 1e9 L/mol/s", "A: 2020-01-01")], "k_tss.A is 2020-01-01; needs a number with its unit"),
    "yes": ([("A: 0.7", "A: true")], "k_trA.A is True; needs a number"),
    "reversed range": (
        [("60 to 80 °C", "80 to 60 °C")],
        "my.yaml: recipe.temp.range is 80 to 60 °C, which is reversed; needs LOW to HIGH",
    ),
    "a list for a range": (
        [("60 to 80 °C", "[60, 80]")],
        "recipe.temp.range is [60, 80]; needs LOW to HIGH with the unit",
    ),
    "range of another unit": ([("60 to 80 °C", "333 to 353 K")], "needs LOW to HIGH with the unit °C"),
    "range from zero": (
        [("1e-3 to 0.05", "0 to 0.05")],
        "recipe.agent.range is 0 to 0.05 mol/L; needs to begin above 0",
    ),
    "box outside": (
        [("note:", "checked: {temp: 60 to 75 °C}\nnote:")],
        "my.yaml: recipe.temp.range, 60 to 80 °C, leaves the range where the coefficients were checked, 60 to 75 °C",
    ),
    "columns that clash": (
        [("symbol: SH", "symbol: t")],
        "my.yaml: agent.symbol is t, as monomer.symbol is; needs another one",
    ),
    "a symbol that is none": (
        [("symbol: SH", "symbol: 1-SH")],
        "my.yaml: agent.symbol is 1-SH; needs letters and digits",
    ),
    "unknown initiator": (
        [("name: AIBN", "name: AIBM")],
        "my.yaml: initiator.name: no initiator 'AIBM'; known: ACHN, ACVA, AIBN",
    ),
    "unknown agent": (
        [("  k_trA: {times: k_p, A: 0.7, E_a: 0 kJ/mol, source: made up}\n", "")],
        "my.yaml: agent.name: no transfer constant of 'some thiol' to toyene; known agents: 1-dodecanethiol",
    ),
    "agent not in the recipe": (
        [("  agent: {range: 1e-3 to 0.05 mol/L}\n", "")],
        "my.yaml: recipe.agent is missing",
    ),
    "transfer to no agent": (
        [("agent: {name: some thiol, symbol: SH}\n", ""), ("  agent: {range: 1e-3 to 0.05 mol/L}\n", "")],
        "my.yaml: coefficients.k_trA is given, but there is no agent",
    ),
    "solvent without density": (
        [("  density: {value: 980 kg/m3, temp: 70 °C, source: made up}\n", "")],
        "my.yaml: solvent.density is missing; the concentration of the solvent is computed from the densities",
    ),
    "a ratio to another": ([("times: k_p, A: 0.7", "times: k_d, A: 0.7")], "k_trA.times is k_d; only k_p"),
    "a share above one": ([("value: 0.5", "value: 68")], "fractions.d_ss.value is 68; needs a share from 0 to 1"),
    "a spread of logarithms in per cent": ([("sd_ln_k: 1e-1", "sd_ln_k: 10")], "k_p.sd_ln_k is 10; needs 0 to 5"),
    "a spread of J as kJ": ([("sd_E_a: 1 kJ", "sd_E_a: 1000 kJ")], "k_p.sd_E_a is 1000 kJ/mol; needs 0 to 50 kJ/mol"),
    "a section that is a word": (
        [("monomer: {name: toyene", "monomer: T #")],
        "my.yaml: monomer is T; needs keys with",
    ),
    "no text": ([("note: made up", "note: 7")], "my.yaml: note is 7; needs text"),
    "a name that is no file's": (
        [("name: toy\n", "name: my toy/\n")],
        "my.yaml: name is my toy/; needs letters, digits",
    ),
    "an endless range": ([("0.5 to 2 h", "0.5 to 1e999 h")], "time.range is 0.5 to 1e999 h; needs a number that a"),
    "a comma in a number": (
        [("E_a: 20 kJ/mol", "E_a: 22,3 kJ/mol")],
        "my.yaml: coefficients.k_p.3 kJ/mol: no key '3 kJ/mol'; known: A, E_a, measured, sd_E_a, sd_ln_k, source, "
        "times; write decimals with a point",
    ),
    "a power of ten as on paper": ([("A: 1e9 L", "A: 10^9 L")], "k_tss.A is 10^9 L/mol/s; needs a number with its un"),
    "digits that run into the unit": ([("A: 1e9 L/mol/s", "A: 12.51/s")], "k_tss.A is 12.51/s; needs a number with"),
    "a range of no width": ([("60 to 80 °C", "60 to 60 °C")], "is 60 to 60 °C, which is of no width; needs LOW to"),
    "hotter than any reactor": (
        [("60 to 80 °C", "60 to 800 °C")],
        "temp.range is 60 to 800 °C; needs to end at 400 °C",
    ),
    "more initiator than any reactor has": (
        [("2.5 to 20 mmol/L", "2.5 to 20 mol/L")],
        "initiator.range is 2.5 to 20 mol/L; needs to end at 5 mol/L or below: is it in mmol/L?",
    ),
    "longer than any reaction": (
        [("0.5 to 2 h", "0.5 to 2e6 h")],
        "time.range is 0.5 to 2e6 h; needs to end at 1e+06 s",
    ),
    "colder than cold": (
        [("measured: 50 °C", "measured: -300 °C")],
        "k_p.measured is -300 °C; needs more than -273.15",
    ),
    "more monomer than there is in a litre of it": (
        [("0.5 to 3 mol/L", "0.5 to 30 mol/L")],
        "my.yaml: recipe.monomer.range ends at 30 mol/L; pure toyene has 9 mol/L, by its density",
    ),
    "faster than any reaction": (
        [("A: 1e9 L/mol/s", "A: 1e15 L/mol/s")],
        "my.yaml: coefficients.k_tss is 1e14 L/mol/s at 60 °C; needs 1e-30 to 1e+12 L/mol/s; check A and E_a and their",
    ),
    "a beginning before there are radicals": (
        [("0.5 to 2 h", "1 to 7200 s")],
        "my.yaml: recipe.time.range begins at 1 s; radicals are stationary after 5.54 s at 60 °C and 0.0025 mol/L",
    ),
    "an end long after the initiator": (
        [("60 to 80 °C", "60 to 150 °C")],
        "my.yaml: recipe.time.range ends at 7200 s; at 150 °C the initiator is used up long before, and radicals are",
    ),
    "a solvent in no section": (
        [(SOLVENT, ""), ("  agent: {range", "  solvent: {range: 1 to 9 mol/L}\n  agent: {range"), (K_TRS, "")],
        "my.yaml: recipe.solvent is given, but there is no solvent; needs a section solvent",
    ),
    "a transfer constant to no solvent": (
        [(SOLVENT, "")],
        "my.yaml: coefficients.k_trS.times: a transfer constant needs a section solvent; without one k_trS is in 1/s",
    ),
    "a density that nothing needs": (
        [(SOLVENT, ""), (K_TRS, ""), ("value: 0.9 g/mL", "value: nine")],
        "my.yaml: monomer.density.value is nine; needs a number with its unit",
    ),
    "half a density": (
        [("{value: 0.9 g/mL, temp: 70 °C, source: made up}", "{value: 0.9 g/mL}")],
        "density.temp is mis",
    ),
    "a density without molar mass": ([("  molar_mass: 18 g/mol\n", "")], "solvent.molar_mass is missing; a density n"),
    "a symbol that no column has": (
        [("symbol: W", "symbol: ../w")],
        "solvent.symbol is ../w; needs letters and digits",
    ),
    "two substances of one symbol": ([("symbol: W", "symbol: aibn")], "solvent.symbol is aibn, as initiator.symbol is"),
    "a column that means something else": (
        [("symbol: W", "symbol: onversion"), ("  agent: {range", "  solvent: {range: 1 to 50 mol/L}\n  agent: {range")],
        "my.yaml: recipe.solvent has the column conversion, as something else has; needs other symbols",
    ),
    "no radicals": (
        [("  d_ss:", "  f: {value: 0, source: mine}\n  d_ss:")],
        "f.value is 0; needs more, or no chain st",
    ),
    "data of another": (
        [("note:", "bundled: [grid]\nnote:")],
        "my.yaml: bundled is ['grid']; no data set of this system",
    ),
    "limits of nobody": (
        [("note:", "limits: ../mine.yaml\nnote:")],
        "no file of limits '../mine.yaml'; known: limits.yaml",
    ),
    "an endless name": (
        [("name: toy\n", f"name: {'toy' * 100}\n")],
        "my.yaml: name has 300 characters; needs 60 or fewer",
    ),
    "a sign that is none": (
        [("note: made up", 'note: "\\e[31mred"')],
        "note has the character U+001B, which cannot be pri",
    ),
    "a value of many lines": (
        [("agent: {name: some thiol, symbol: SH}", 'agent: "a\\nb"')],
        "agent is a b; needs keys",
    ),
    "a value without end": ([("note: made up", "note: &n [*n]")], "my.yaml is not YAML: it contains itself"),
    "a value that aliases blow up": ([("note: made up", f"note: {BOMB}")], "…; needs text"),
    "a date that never was": ([("note: made up", "note: 2020-13-45")], "is not YAML: month must be in 1..12"),
    "a number of a book": ([("A: 1e9 L/mol/s", f"A: 0x{'f' * 5000}")], "is no plain number, such as 70 or 1.5"),
    "deeper than anyone reads": ([(TOY, "a: " + "[" * 5000)], "is nested too deeply"),
    "a key twice": ([("note: made up", "note: a\nnote: b")], "note stands there twice"),
    "no mapping": ([(TOY, "- 1")], "no system; it has to hold keys"),
    "no YAML": ([(TOY, "a: [")], "is not YAML"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_file_is_refused_in_one_line(bad, file_of):
    changes, said = BAD[bad]
    assert said in refusal(file_of(*changes))


def test_what_no_model_could_keep_names_the_file(file_of):
    path = file_of(("measured: 50 °C", "measured: 6e7 °C"))
    with pytest.raises(InputError, match="this is no stored system: ") as caught:
        load_system(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_refusal_fits_a_line_whatever_stands_in_the_file(file_of):
    for changed in ("x" * 10_000, "[1, 2, 3]", "{a: {b: {c: {d: 1}}}}", '"\\e[2J"', "0x" + "f" * 5000):
        said = refusal(file_of(("A: 1e9 L/mol/s", f"A: {changed}")))
        assert said.isprintable()
        assert len(said) < 300


def test_a_file_that_is_not_utf8_says_so(file_of):
    path = file_of()
    path.write_bytes(TOY.encode("latin-1"))
    assert "my.yaml is no text in UTF-8 (byte 0xb0); save it as such" in refusal(path)


@pytest.mark.parametrize("given", [None, 7, ["MMA"], ""])
def test_what_names_no_system_is_refused(given):
    with pytest.raises(InputError, match="no system"):
        load_system(given)


def test_a_folder_is_no_system(tmp_path):
    with pytest.raises(InputError, match=r"is a folder; needs the file of a system, or the name of one: butyl_acry"):
        load_system(tmp_path)


def test_a_shipped_name_is_that_of_its_substances(file_of, tmp_path):
    with pytest.raises(InputError, match=r"^my\.yaml: name is styrene, which polyinv has with other substances"):
        load_system(file_of(("name: toy\n", "name: styrene\n")))
    own = tmp_path / "own.yaml"  # the same substances with other coefficients
    own.write_text(SYSTEMS["styrene"].read_text(encoding="utf-8").replace("1.6e9", "2e9"), encoding="utf-8")
    assert load_system(own).is_like(load_system("styrene"))


def test_two_systems_of_one_name_are_told_apart(file_of):
    ours = load_system(file_of())
    with pytest.raises(InputError, match=r"they do not go together: monomer molar mass 100\.0 and 120\.0$"):
        ours.check_like(load_system(file_of(("molar_mass: 100", "molar_mass: 120"))), "a model", "a table")
    with pytest.raises(InputError, match=r"they do not go together: columns cT_0 .* and cToy_0 "):
        ours.check_like(load_system(file_of(("symbol: T,", "symbol: Toy,"))), "a model", "a table")


@pytest.mark.parametrize(
    ("given", "units", "value"),
    [
        ("2.67e6 L mol-1 s-1", SECOND_ORDER, 2.67e6),
        ("2.67e6 L·mol⁻¹·s⁻¹", SECOND_ORDER, 2.67e6),
        ("2.67e6 dm³ mol−1 s−1", SECOND_ORDER, 2.67e6),
        ("2.67e6 M-1 s-1", SECOND_ORDER, 2.67e6),
        ("1e15 s⁻¹", FIRST_ORDER, 1e15),
        ("22.3 kJ mol−1", ENERGY, 22300.0),
        ("5 mM", CONCENTRATION, 0.005),
        ("0.9 g/cm³", DENSITY, 900.0),
    ],
)
def test_units_are_read_as_papers_write_them(given, units, value):
    assert measure("here", given, units) == pytest.approx(value, rel=1e-15)


def test_a_system_may_state_its_own_initiator(file_of):
    own = ("  k_p:", "  k_d: {A: 1e15 1/s, E_a: 128 kJ/mol, source: mine}\n  k_p:")
    f = ("  d_ss:", "  f: {value: 0.5, source: mine}\n  d_ss:")
    chemistry = load_system(file_of(("name: AIBN", "name: mine"), own, f)).chemistry
    assert (chemistry.initiator, chemistry.k_d.source, chemistry.f) == ("mine", "mine", 0.5)
    assert "fractions.f is missing" in refusal(file_of(("name: AIBN", "name: mine"), own))


def test_nothing_of_a_file_is_executed(file_of):
    assert "is not YAML" in refusal(file_of(("note: made up", "note: !!python/object/apply:os.getcwd []")))


def test_a_system_is_found_by_its_name_its_monomer_or_its_file(file_of):
    assert load_system("methyl_methacrylate") is load_system("MMA") is load_system("mma")
    assert load_system(str(file_of())).name == "toy"
    with pytest.raises(
        InputError, match=r"no system 'mna'; known: butyl_acrylate, methyl_methacrylate, styrene; or a f"
    ):
        load_system("mna")
    with pytest.raises(InputError, match=r"^nowhere/my\.yaml: no such file$"):
        load_system("nowhere/my.yaml")


def test_a_file_that_changed_is_read_again(file_of):
    assert load_system(file_of()).title == "a monomer that nobody has"
    assert load_system(file_of(("a monomer that nobody has", "another"))).title == "another"


def test_no_symbol_is_shared_by_two_shipped_systems():
    symbols = [load_system(name).residual for name in SYSTEMS]
    assert len({symbol.lower() for symbol in symbols}) == len(symbols)


def test_the_command_lists_the_systems(capsys):
    assert main(["systems"]) == 0
    said = capsys.readouterr().out
    for name in SYSTEMS:
        assert re.search(rf"^{name} .*{load_system(name).targets[0]}", said, re.MULTILINE)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_command_shows_all_that_a_file_states(name, capsys):
    assert main(["systems", "show", name]) == 0
    said = " ".join(capsys.readouterr().out.split())
    system = load_system(name)
    for law in RateCoefficients.__dataclass_fields__:
        coefficient = getattr(system.chemistry, law)
        if coefficient is not None:
            assert f"{law}: {coefficient.source}" in said
            assert f"{coefficient.A:.4g} {coefficient.E_a / 1000:.4g}" in said
    for what, source in system.sources.items():
        assert f"{what}: {source}" in said
    assert system.chemistry.note in said


def test_the_command_says_which_coefficients_are_extrapolated(capsys, file_of):
    assert main(["systems", "show", str(file_of())]) == 0
    said = capsys.readouterr().out
    assert "Extrapolated to 60 to 80 °C: k_p (50 °C)" in said
    assert "solvent water (computed from densities), chain transfer agent some thiol" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 110


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shw"], "no action of systems 'shw'; known: list, show"),
        (["show"], "polyinv systems takes nothing, or show with a NAME_OR_FILE"),
        (["list", "MMA"], "polyinv systems takes nothing, or show with a NAME_OR_FILE"),
        (["show", "mna"], "no system 'mna'"),
    ],
)
def test_the_command_refuses_in_one_line(arguments, said, capsys):
    assert main(["systems", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_concentrations_have_units():
    with pytest.raises(InputError, match=r"^here is 1 g/L, which has the unit g/L; needs mol/L or mmol/L$"):
        measure("here", "1 g/L", CONCENTRATION)


HEAT = (
    "heat:\n  enthalpy: {value: -58 kJ/mol, source: made up}\n  capacity: {value: 1.7 J/mL/K, source: made up}\nnote:"
)


def test_heat_is_read_and_kept(file_of):
    system = load_system(file_of(("note:", HEAT)))
    assert (system.heat.enthalpy, system.heat.capacity) == (-58e3, 1700.0)
    assert system.heat.set_free(2.0) == pytest.approx(116)
    assert system.heat.rise(2.0) == pytest.approx(116 / 1.7)
    assert System.from_dict(json.loads(json.dumps(system.as_dict()))).heat == system.heat
    without = load_system(file_of())
    assert without.heat is None
    assert "heat" not in without.as_dict()  # files and models that know of none stay as they were
    assert without == system  # no polymer depends on it
    assert without.fingerprint == system.fingerprint


@pytest.mark.parametrize("name", SYSTEMS)
def test_shipped_systems_state_the_heat_that_a_double_bond_sets_free(name):
    heat = load_system(name).heat
    assert -90e3 < heat.enthalpy < -50e3
    assert "Polymer Handbook" in heat.source


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "-58 kJ/mol",
            "58 kJ/mol",
            "heat.enthalpy.value is 58 kJ/mol; needs -250 to -1 kJ/mol; heat that is set free has",
        ),
        ("-58 kJ/mol", "-58000 kJ/mol", "heat.enthalpy.value is -58000 kJ/mol; needs -250 to -1 kJ/mol"),
        ("-58 kJ/mol", "-58", "which has no unit"),
        ("-58 kJ/mol", ".nan kJ/mol", "needs a number with its unit"),
        ("1.7 J/mL/K", "1700 J/mL/K", "needs 6 kJ/L/K or less: water has 4.2"),
        ("1.7 J/mL/K", "0 J/mL/K", "needs more than 0"),
        ("1.7 J/mL/K", "1.7 J/g/K", "has the unit J/g/K"),
        (", source: made up}\n  capacity", "}\n  capacity", "heat.enthalpy.source is missing"),
        ("  enthalpy: {value: -58 kJ/mol, source: made up}\n", "", "heat.enthalpy is missing"),
        ("  capacity", "  capacities", "no key 'capacities'"),
    ],
)
def test_heat_that_cannot_be_is_refused(old, new, said, file_of):
    assert said in refusal(file_of(("note:", HEAT.replace(old, new))))
