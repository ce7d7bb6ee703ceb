"""Designs make what is wished for, are distinct, and say what cannot be made."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from polyinv.chemistry import load_system
from polyinv.chemistry.system import Uncertainty
from polyinv.cli import main
from polyinv.design.designs import design
from polyinv.design.front import hypervolume, unbeaten
from polyinv.design.preferences import costs, preferences_of, prices_of
from polyinv.design.properties import PROPERTIES, polymers, polymers_with_slopes
from polyinv.design.search import Task, search
from polyinv.design.wishes import wishes
from polyinv.errors import InputError
from polyinv.mmd import LOG_M
from polyinv.simulate.observed import observe
from polyinv.simulate.recipes import from_unit, random_recipes, to_unit

SYSTEM = load_system()


def test_slopes_are_those_of_finite_differences():
    unit = to_unit(random_recipes(6, torch.Generator().manual_seed(0), SYSTEM), SYSTEM) * 0.9
    found, step = polymers_with_slopes(unit, SYSTEM), 1e-4
    for at in range(4):
        moved = torch.zeros(4, dtype=torch.float64)
        moved[at] = step
        difference = (polymers(unit + moved, SYSTEM).values - polymers(unit - moved, SYSTEM).values) / (2 * step)
        torch.testing.assert_close(found.slopes[:, :, at], difference, rtol=2e-3, atol=2e-4)


def test_designs_meet_the_wishes_and_lie_apart():
    found = design(["Mn=25000±2%", "D<2.4", "temp<=75", "conversion>=50%"], count=5)
    table = found.table()
    assert len(table) == 5
    assert table["Mn"].between(24490, 25510).all()
    assert (table["D"] <= 2.401).all()
    assert (table["temp"] <= 75).all()
    assert (table["conversion"] >= 0.499).all()
    # What it says is what the rate equations say of the recipes that it prints.
    recipes = torch.tensor(table[list(SYSTEM.targets)].to_numpy(copy=True))
    again = observe(recipes, SYSTEM.chemistry)[:, 1].exp()
    np.testing.assert_allclose(again, table["Mn"], rtol=1e-4)
    unit = to_unit(recipes, SYSTEM)
    assert torch.pdist(unit).min() > 0.1


def test_every_curve_of_the_box_is_made_again():
    recipes = random_recipes(12, torch.Generator().manual_seed(3), SYSTEM)
    made = polymers(to_unit(recipes, SYSTEM), SYSTEM)
    for curve in made.curves:
        found = design([], curve=curve, count=3)
        assert found.table()["mmd_distance"].max() < 0.008
        assert not found.warnings


def test_with_all_but_one_value_known_the_last_one_is_found():
    recipe = torch.tensor([[1.2, 0.008, 70.0, 1500.0]], dtype=torch.float64)
    curve = polymers(to_unit(recipe, SYSTEM), SYSTEM).curves[0]
    found = design(["temp=70", "time=1500 s", "cBA_0=1.2"], curve=curve, count=1)
    assert found.table()["cAIBN_0"][0] == pytest.approx(0.008, rel=0.02)


def test_a_preference_is_at_least_as_good_as_thousands_of_random_recipes():
    given = ["Mn=40000±3%", "conversion>=60%"]
    least = design(given, minimize=["time"], count=1).table()
    task = Task.of(SYSTEM, wishes(given, SYSTEM))
    unit = 2 * torch.rand(20_000, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 1
    tried = polymers(unit, SYSTEM)
    assert least["time"][0] <= tried.recipes[task.meets(tried), 3].min()
    assert least["design"][0] == "least time"


def test_a_trade_off_is_a_front():
    found = design(["Mn=25000±2%"], minimize=["time"], maximize=["conversion"], count=7)
    table = found.table()
    assert table["time"].is_monotonic_increasing
    assert table["conversion"].is_monotonic_increasing
    assert len(table) >= 5
    assert (table["design"].iloc[0], table["design"].iloc[-1]) == ("least time", "most conversion")


def test_recipes_are_distinct_where_the_ridge_is_short():
    # Near a corner of the box: descents from random starts end in the one recipe that makes the curve, or beside it.
    recipe = torch.tensor([[2.9725, 0.017065, 73.28, 3469.5]], dtype=torch.float64)
    curve = polymers(to_unit(recipe, SYSTEM), SYSTEM).curves[0]
    table = design([], curve=curve, count=5).table()
    unit = to_unit(torch.tensor(table[list(SYSTEM.targets)].to_numpy(copy=True)), SYSTEM)
    assert len(table) == 5
    assert torch.pdist(unit).min() > 0.1
    assert table["mmd_distance"].max() <= 0.008


def test_fewer_recipes_are_given_where_no_others_lie_apart():
    found = design(["temp=70", "time=1800", "initiator=0.01", "Mn=25000±0.5%"], count=5)
    assert len(found.table()) == 1
    assert "1 of 5 recipes: others that meet the wishes lie within 5%" in found.notes[0]


def test_a_trade_off_may_have_a_single_recipe():
    assert len(design(["Mn=25000±5%"], minimize=["time", "cAIBN_0"], count=1).table()) == 1


def test_a_front_of_three_is_better_than_the_best_of_many_recipes():
    curve = polymers(torch.zeros(1, 4, dtype=torch.float64), SYSTEM).curves[0]
    options = {"minimize": ["mmd_distance", "time"], "maximize": ["conversion"], "count": 20}
    table = design(["mmd_distance<=10%"], curve=curve, **options).table()
    assert (table["mmd_distance"] <= 0.1).all()
    assert {"least mmd_distance", "least time", "most conversion"} <= {*", ".join(table["design"]).split(", ")}
    front = np.column_stack([table["mmd_distance"] / 0.1, table["time"] / 3600, 1 - table["conversion"]])
    unit = 2 * torch.rand(20_000, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64) - 1
    tried = polymers(unit, SYSTEM)
    apart = (tried.curves - curve).abs().sum(-1) * 0.04
    values = torch.stack(
        [apart / 0.1, tried.recipes[:, 3] / 3600, 1 - tried.physical()[:, PROPERTIES.index("conversion")]], 1
    )
    assert not any((values < point - 1e-3).all(1).any() for point in torch.from_numpy(front))
    few = values[:2000]  # twenty recipes beat more than the best of a hundred times as many
    assert hypervolume(front, np.ones(3)) > hypervolume(few[unbeaten(few)].numpy(), np.ones(3))


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_the_volume_that_a_front_beats_is_that_of_counting(dimensions):
    generator = np.random.default_rng(dimensions)
    points = generator.uniform(0, 1.2, (15, dimensions))
    points = np.vstack([points, points[:2]])
    cells, step = 12, 1 / 12  # on a lattice counting is exact
    points = np.round(points / step) * step
    middles = np.stack(np.meshgrid(*[(np.arange(cells) + 0.5) * step] * dimensions), -1).reshape(-1, dimensions)
    beaten = (points[None] <= middles[:, None]).all(-1).any(-1).mean()
    assert hypervolume(points, np.ones(dimensions)) == pytest.approx(beaten, abs=1e-12)


def test_a_cost_is_that_of_a_kilogram_by_the_prices():
    prices = {"monomer": 0.3, "initiator": 20, "time": 1e-4}
    table = design(["Mn=25000±2%"], minimize=["cost"], prices=prices, count=2).table()
    litre = 0.3 * table["cBA_0"] + 20 * table["cAIBN_0"] + 1e-4 * table["time"]
    polymer = table["cBA_0"] * table["conversion"] * SYSTEM.chemistry.monomer_molar_mass / 1000
    np.testing.assert_allclose(table["cost"], litre / polymer, rtol=1e-5)
    unit = 2 * torch.rand(20_000, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 1
    tried = polymers(unit, SYSTEM)
    met = Task.of(SYSTEM, wishes(["Mn=25000±2%"], SYSTEM)).meets(tried)
    assert table["cost"][0] <= costs(tried, prices_of(prices, SYSTEM), SYSTEM)[met].min()


@pytest.mark.parametrize("preference", [{"minimize": ["cost"]}, {"minimize": ["mmd_distance"]}, {"maximize": ["Mp"]}])
def test_slopes_of_preferences_are_those_of_finite_differences(preference):
    curve = polymers(torch.full((1, 4), 0.3, dtype=torch.float64), SYSTEM).curves[0]
    prices = prices_of("monomer=0.3,initiator=20,time=1e-4", SYSTEM)
    (found,) = preferences_of(
        preference.get("minimize", []), preference.get("maximize", []), SYSTEM, curve=curve, prices=prices
    )
    unit, step = torch.tensor([[-0.2, 0.4, 0.1, -0.5]], dtype=torch.float64), 1e-4
    slopes = found.slopes(polymers_with_slopes(unit, SYSTEM), SYSTEM)[0]
    for at in range(4):
        moved = torch.zeros(4, dtype=torch.float64)
        moved[at] = step
        ends = [found.amounts(polymers(unit + sign * moved, SYSTEM), SYSTEM).item() for sign in (1, -1)]
        assert slopes[at].item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=5e-3, abs=1e-4)


def test_heat_is_that_of_the_monomer_that_is_converted():
    table = design(["Mn=25000±2%"], count=2).table()
    np.testing.assert_allclose(table["heat"], 78 * table["cBA_0"] * table["conversion"], rtol=1e-5)
    assert "adiabatic_rise" not in table  # butyl acrylate states no heat capacity: its solvent is not named
    styrene = load_system("styrene")
    found = design(["Mn=20000±5%"], styrene, count=1)
    line = found.table().iloc[0]
    assert line["adiabatic_rise"] == pytest.approx(line["heat"] / 1.5, rel=1e-5)
    without = design(["Mn=20000±5%"], replace(styrene, heat=None), count=1)
    assert "heat" not in without.table()
    assert "the heat is left out: styrene states no enthalpy of polymerization" in without.notes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["Mn=25000", "D<1.3"], "D<1.3 cannot be made in the box of butyl_acrylate: 1.99 is the least"),
        (["D<2", "conversion>=90%"], "conversion>=90% cannot be made with D<2 in the box"),
        (["Mn>200000", "temp>=75"], "Mn>200000 cannot be made in the box of butyl_acrylate with temp>=75"),
    ],
)
def test_what_cannot_be_made_is_said(given, said):
    found = design(given)
    assert found.found is None
    assert said in found.warnings[0]
    assert len(found.table()) == 1


def test_what_is_said_not_to_be_made_is_made_by_none_of_many_recipes():
    unit = 2 * torch.rand(20_000, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64) - 1
    tried = polymers(unit, SYSTEM)
    dispersity, conversion = (tried.physical()[:, PROPERTIES.index(name)] for name in ("D", "conversion"))
    for most in (2.0, 2.3, 2.8):
        found = design([f"D<{most}", "conversion>=99.9%"])
        assert found.impossible is not None
        reachable = conversion[dispersity < most].max().item()
        if found.impossible.given:
            assert found.impossible.nearest >= reachable - 1e-6
            assert found.impossible.nearest < reachable + 0.1


def test_a_curve_that_no_recipe_makes_is_said_to_be_none():
    curve = torch.zeros(100, dtype=torch.float64)
    curve[50:60] = 1 / 0.8
    found = design([], curve=curve)
    assert "no recipe makes this curve" in found.warnings[0]
    assert "% of its mass lies elsewhere at best" in found.warnings[0]


def test_robust_designs_change_less():
    plain, robust = (design(["Mn=25000±2%"], count=1, robust=robust).table() for robust in (False, True))
    size = [table[[name for name in table if "_per_" in name]].pow(2).sum(axis=1)[0] for table in (plain, robust)]
    assert size[1] <= size[0]


def test_tolerances_are_what_simulating_the_changed_recipe_gives():
    line = design(["Mn=25000±2%", "conversion>=50%"], count=1).table().iloc[0]
    recipe = torch.tensor(line[list(SYSTEM.targets)].to_numpy(dtype=float, copy=True))
    for at, (name, change) in enumerate(
        zip(SYSTEM.targets, (0.02 * recipe[0], 0.02 * recipe[1], 1.0, 60.0), strict=True)
    ):
        both = torch.stack([recipe, recipe]).clone()
        both[:, at] += torch.tensor([0.5, -0.5], dtype=torch.float64) * change
        Mn = observe(both, SYSTEM.chemistry)[:, 1]
        assert line[f"Mn_per_{name}"] == pytest.approx(100 * (Mn[0] - Mn[1]).item(), rel=0.05, abs=0.01)


def test_what_excludes_nothing_is_said():
    found = design(["Mn=25000±2%", "D>1", "temp<=343.15"], count=1)
    assert "if it is K, it is 70 °C" in found.warnings[0]
    assert found.notes == ["D>1 excludes nothing: every recipe that was tried meets it"]


@pytest.mark.parametrize("system", ["methyl_methacrylate", "styrene"])
def test_other_systems_have_designs(system):
    found = load_system(system)
    middle = from_unit(torch.zeros(1, len(found.recipe), dtype=torch.float64), found)
    Mn = observe(middle, found.chemistry)[0, 1].exp().item()
    table = design([f"Mn={Mn:.0f}±3%"], system, count=2).table()
    assert table["Mn"].between(0.969 * Mn, 1.031 * Mn).all()
    assert list(found.targets) == list(table.columns[1 : 1 + len(found.targets)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"given": ["temp<70"]}, "nothing is wished for the polymer"),
        ({"count": 0}, "--count is 0; needs 1 to 100"),
        ({"minimize": ["foo"]}, "no property or value of the recipe 'foo'"),
        ({"minimize": ["time"], "maximize": ["time"]}, "least and most"),
        ({"minimize": ["time", "temp", "D", "initiator"]}, "three at most"),
        ({"minimize": ["mmd_distance"]}, "mmd_distance is from a curve; needs --curve FILE"),
        ({"minimize": ["cost"]}, "cost needs prices, such as --prices monomer=0.3"),
        ({"maximize": ["cost"], "prices": "monomer=1"}, "--maximize cost: needs --minimize"),
        ({"given": ["Mn=25000", "cost<3"]}, "a cost is preferred, not wished for"),
        ({"given": ["Mn=25000", "mmd_distance<3%"]}, "mmd_distance is from a curve; needs --curve FILE"),
        ({"robust": True, "minimize": ["time"]}, "--robust and a preference both say"),
        ({"prices": "monomer"}, "--prices has monomer; needs NAME=PRICE"),
        ({"prices": "monomer=-1"}, "needs NAME=PRICE, a price of 0 or more"),
        ({"prices": "monomer=nan"}, "needs NAME=PRICE, a price of 0 or more"),
        ({"prices": "temp=1"}, "--prices has temp, which has no price"),
        ({"prices": "monomer=1,cBA_0=2"}, "--prices has cBA_0 twice"),
        ({"prices": "monomer=0"}, "--prices has none above 0"),
        ({"prices": ""}, "--prices has ; needs NAME=PRICE"),
        ({"curve": torch.ones(100)}, "the curve has the area 8; needs 1"),
        ({"curve": torch.ones(3)}, r"the curve has the shape \(3,\); needs \(100,\)"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        design(**{"given": ["Mn=25000"]} | options)


def test_wider_bands_are_met_more_probably_and_a_known_chemistry_for_sure():
    narrow, wide = (design([f"Mn=25000±{band}%"], count=1).table()["probability"][0] for band in (2, 40))
    assert 0 < narrow < 0.5 < wide <= 1
    surely = replace(SYSTEM, uncertainty={name: Uncertainty(1e-6, 1e-3) for name in SYSTEM.uncertainty})
    assert design(["Mn=25000±2%"], surely, count=1).table()["probability"][0] == 1


def test_a_recipe_that_is_wholly_stated_is_simulated_and_judged():
    whole = ["time=30 min", "temp=70", "cBA_0=1", "cAIBN_0=0.01"]
    made = design([*whole, "D<5"], minimize=["time"], count=3).table()
    assert len(made) == 1
    found = design([*whole, "Mn>40000"])
    assert "Mn>40000 cannot be made in the box of butyl_acrylate with time=30 min, temp=70" in found.warnings[0]


def test_the_same_wishes_give_the_same_designs():
    given = ["Mn=25000±2%", "D<2.4"]
    assert design(given).table().equals(design(given).table())


def test_the_command_writes_table_and_page(tmp_path, capsys):
    out, page = tmp_path / "designs.csv", tmp_path / "designs.html"
    arguments = ["design", "Mn=25000±2%", "conversion>=50%", "--minimize", "time", "--minimize", "initiator"]
    assert main([*arguments, "--count", "4", "--out", str(out), "--report", str(page)]) == 0
    assert out.read_text().startswith("design,cBA_0,cAIBN_0,temp,time,Mn,Mw,D,Mp,conversion")
    text = page.read_text()
    assert "least time" in text
    assert "cAIBN_0 against time" in text
    assert text.count("<circle") == 4
    assert "<title>1: least time\ncBA_0 " in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")  # it opens from disk
    capsys.readouterr()
    assert main(["design", "D<1.3"]) == 2
    said = capsys.readouterr()
    assert "cannot be made" in said.err
    assert said.out.startswith("design,")
    assert main(["design", "Mn=25000", "--report", str(tmp_path / "page.pdf")]) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--count", "1", "--chains", "1e12"], "--chains is 1e+12; needs 1 to 1e+09"),
        (["--count", "100", "--chains", "1e8"], "--chains is 1e+08; needs 1 to 1e+07"),
        (["--chains", "0"], "--chains is 0; needs 1 to 2e+08"),
    ],
)
def test_chains_that_take_too_long_are_refused(options, said, tmp_path, capsys):
    assert main(["design", "Mn=25000", *options, "--out", str(tmp_path / "a.csv")]) == 2
    assert said in capsys.readouterr().err


def test_a_curve_from_a_file_is_designed_for(tmp_path, capsys):
    curve = polymers(torch.zeros(1, 4, dtype=torch.float64), SYSTEM).curves[0].numpy()
    file = tmp_path / "curve.csv"
    file.write_text("\n".join(["logM,w", *(f"{m:.2f},{w:.8g}" for m, w in zip(LOG_M, curve, strict=True) if w > 1e-6)]))
    assert main(["design", "--curve", str(file), "--count", "2"]) == 0
    assert "mmd_distance" in capsys.readouterr().out


def test_wishes_are_the_same_in_a_file(tmp_path, capsys):
    file = tmp_path / "wishes.yaml"
    file.write_text("wishes: [Mn=25000±2%, D<2.4]\nminimize: [time]\ncount: 2\n", encoding="utf-8")
    assert main(["design", "temp<=70", "--config", str(file)]) == 0
    printed = capsys.readouterr().out
    assert main(["design", "Mn=25000±2%", "D<2.4", "temp<=70", "--minimize", "time", "--count", "2"]) == 0
    assert capsys.readouterr().out == printed


def test_searching_costs_little():
    import time

    task = Task.of(SYSTEM, wishes(["Mn=25000±2%", "D<2.4"], SYSTEM))
    search(task)
    start = time.process_time()
    search(task)
    assert time.process_time() - start < 5.0
