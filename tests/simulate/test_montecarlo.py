import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from polyinv.chemistry import BUTYL_ACRYLATE, Arrhenius
from polyinv.chemistry.butyl_acrylate import SYSTEM
from polyinv.chemistry.reference_problem import P1
from polyinv.errors import InputError
from polyinv.mmd import BIN_EDGES
from polyinv.simulate import gillespie, montecarlo, solvers
from polyinv.simulate.control_volume import FewRadicals, control_volumes
from polyinv.simulate.gillespie import EVENTS
from polyinv.simulate.montecarlo import simulate_runs
from polyinv.simulate.recipes import published_grid, runs
from tests.simulate.reference import reaches_90_percent


def constant(value):
    return Arrhenius(A=value, E_a=0.0, measured=None, source="test")


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64)


# A reaction of seconds with chains of about twenty units: every kind of event is common, a run takes milliseconds.
SKETCH = replace(
    BUTYL_ACRYLATE,
    name="sketch",
    f=0.6,
    k_d=constant(0.2),
    k_p=constant(1e4),
    k_bb=constant(800.0),
    k_pt=constant(900.0),
    k_tss=constant(4e6),
    k_tst=constant(2e6),
    k_ttt=constant(1e6),
    k_trM=constant(100.0),
    k_trS=constant(100.0),
    d_ss=0.3,
    d_st=0.5,
    d_tt=0.8,
)
RECIPE = tensor([[1.0, 0.02, 70.0]])
HOUR, SECONDS = tensor([[1200.0, 2400.0, 3600.0]]), tensor([[1.0, 2.0, 4.0]])


@pytest.fixture(scope="module")
def sketches():
    """A run in which radicals are many, by both engines."""
    return {
        engine: simulate_runs(RECIPE, SECONDS, SKETCH, chains=4e4, seed=1, engine=engine)
        for engine in montecarlo.ENGINES
    }


def few(*args, **options):
    """`simulate_runs` in a volume known to be too small."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewRadicals)
        return simulate_runs(*args, allow_few=True, **options)


@pytest.mark.parametrize("engine", montecarlo.ENGINES)
def test_monomer_units_are_conserved_to_the_last_one(sketches, engine):
    growth, events = sketches[engine].growth, sketches[engine].events
    assert torch.equal(events.residual + events.live_units + events.dead_units, events.monomer[:, None].expand(1, 3))
    live = events.live_units / events.monomer.double() * RECIPE[:, :1]
    total = growth.monomer + growth.cumulated().units.sum(-1) + live
    assert (total - RECIPE[0, 0]).abs().max() < 1e-14


@pytest.mark.parametrize("engine", montecarlo.ENGINES)
def test_events_account_for_every_chain(sketches, engine):
    events = sketches[engine].events
    count = events.count
    combined = count("combination_ss") + count("combination_st") + count("combination_tt")
    split = count("disproportionation_ss") + count("disproportionation_st") + count("disproportionation_tt")
    moved = count("transfer_monomer") + count("transfer_solvent")
    assert torch.equal(2 * count("initiation"), 2 * (combined + split) + events.live_chains)
    assert torch.equal(events.dead_chains[:, -1], moved + combined + 2 * split)
    added = count("propagation") + count("reinitiation") + 2 * count("initiation") + moved
    assert torch.equal(added, events.live_units[:, -1] + events.dead_units[:, -1])


def binomial(count, total, share):
    """Deviation of a count from its expectation in standard deviations."""
    return float(abs(count - total * share) / (total * share * (1 - share)) ** 0.5)


@pytest.mark.parametrize("engine", montecarlo.ENGINES)
def test_events_come_in_their_ratios(sketches, engine):
    # 4 standard deviations each: a correct simulator fails once in 16 000 seeds.
    count = sketches[engine].events.count
    for kind, share in (("ss", SKETCH.d_ss), ("st", SKETCH.d_st), ("tt", SKETCH.d_tt)):
        split, combined = count(f"disproportionation_{kind}"), count(f"combination_{kind}")
        assert split + combined > 500
        assert binomial(split, split + combined, share) < 4
    decayed = count("initiation") + count("failed_initiation")
    assert binomial(count("initiation"), decayed, SKETCH.f) < 4
    initiator = float(sketches[engine].events.per_molar * RECIPE[:, 1])
    assert binomial(decayed, initiator, 1 - np.exp(-0.8)) < 4  # k_d·t = 0.2 · 4


def test_the_two_engines_follow_one_law():
    """200 seeds in a volume so small that the number of radicals matters; 4 standard errors of the difference."""
    means = []
    for engine, seed in (("skip", 2), ("plain", 3)):
        runs = few(RECIPE, SECONDS, SKETCH, chains=2500, seed=seed, replicates=200, engine=engine)
        polymer = runs.growth.cumulated().snapshots(SKETCH)
        events = runs.events.events.double() / 2500
        shown = torch.cat(
            [polymer.residual_monomer, polymer.Mn, polymer.Mw, runs.events.S[:, None], runs.events.Q[:, None], events],
            -1,
        )
        means.append((shown.mean(0), shown.var(0) / 200))
    (skip, skip_error), (plain, plain_error) = means
    assert ((skip - plain).abs() <= 4 * (skip_error + plain_error).sqrt()).all()  # no agent: none ends a chain


def test_agrees_with_the_rate_equations():
    runs = simulate_runs(RECIPE, HOUR, BUTYL_ACRYLATE, chains=1e6, seed=4)
    seen = runs.growth.cumulated().snapshots(BUTYL_ACRYLATE)
    expected = solvers.simulate(RECIPE, HOUR, BUTYL_ACRYLATE)
    # Four times the spread between runs of 10⁶ chains: 6e-4 in X, 0.12 % in Mn, 0.23 % in Mw.
    assert (seen.residual_monomer - expected.residual_monomer).abs().max() < 4 * 6e-4
    assert (seen.Mn / expected.Mn - 1).abs().max() < 4 * 0.0012
    assert (seen.Mw / expected.Mw - 1).abs().max() < 4 * 0.0023
    last, curve = seen.mmd[0, -1], expected.mmd[0, -1]
    assert (last - curve)[41:].pow(2).mean().sqrt() < 0.006  # nodes above log10 M = 3.3
    volumes = control_volumes(RECIPE, HOUR, BUTYL_ACRYLATE, chains=1e6)
    assert abs(float(runs.events.S / volumes.S) - 1) < 0.01
    assert abs(float(runs.events.Q / volumes.Q) - 1) < 0.02


def test_reference_problem_within_half_a_percent():
    made = simulate_runs(RECIPE, HOUR, P1, chains=2e6, seed=5)
    polymer = made.growth.cumulated().snapshots(P1)
    assert made.events.S >= 100
    assert made.events.Q == 0
    assert float(1 - polymer.residual_monomer[0, -1]) == pytest.approx(0.6275, rel=0.005)
    assert float(polymer.Mn[0, -1]) / 100 == pytest.approx(311.8, rel=0.005)
    assert float(polymer.Mw[0, -1]) / 100 == pytest.approx(624, rel=0.005)


def test_chains_lie_in_a_bin_within_half_a_unit_of_their_length(sketches):
    edges = 10.0**BIN_EDGES / SKETCH.monomer_molar_mass
    for made in sketches.values():
        mean = (made.growth.units.sum(1) / made.growth.chains.sum(1))[0].numpy()
        filled = ~np.isnan(mean)
        assert filled.sum() > 20
        assert (mean[filled] > edges[:-1][filled] - 0.5).all()
        assert (mean[filled] < edges[1:][filled] + 0.5).all()


@pytest.mark.parametrize("mean", [0.3, 9.99, 10.0, 63.0, 3e4])
def test_poisson_numbers_are_poisson(mean):
    state = np.random.SeedSequence(6).generate_state(4, np.uint64)
    drawn = np.array([gillespie.poisson(mean, state) for _ in range(20_000)])
    edges = np.unique(stats.poisson.ppf(np.linspace(0.02, 0.98, 25), mean))
    seen = np.bincount(np.searchsorted(edges, drawn), minlength=len(edges) + 1)
    share = np.diff([0.0, *stats.poisson.cdf(edges, mean), 1.0])
    assert stats.chisquare(seen, share * len(drawn)).pvalue > 1e-4


def test_waiting_times_are_exponential():
    state = np.random.SeedSequence(7).generate_state(4, np.uint64)
    drawn = np.array([gillespie.exponential(state) for _ in range(50_000)])
    assert stats.kstest(drawn, "expon").pvalue > 1e-4
    assert drawn.max() > 8  # beyond the ziggurat's last edge


def three_runs(**options):
    conditions = tensor([[1.0, 0.02, 70.0], [0.5, 0.01, 70.0], [2.0, 0.01, 70.0]])
    times = tensor([[1.0, 2.0], [0.5, 4.0], [3.0, 3.0]])
    return few(conditions, times, SKETCH, chains=3000, seed=8, replicates=2, **options)


def same(left, right):
    return all(
        torch.equal(getattr(a, name), getattr(b, name))
        for a, b in ((left.growth, right.growth), (left.events, right.events))
        for name in vars(a)
    )


def test_the_number_of_workers_changes_nothing():
    alone = three_runs(workers=1)
    assert same(alone, three_runs(workers=2))
    assert len(alone.events.events.unique(dim=0)) == 6  # every run has its own stream


def test_nothing_is_made_while_no_time_passes():
    growth = three_runs().growth
    assert growth.chains[4:, 1].sum() == 0
    assert torch.equal(growth.monomer[4:, 0], growth.monomer[4:, 1])


def test_killed_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    started, skip = [], montecarlo.ENGINES["skip"]

    def dying(job):
        started.append(job)
        if len(started) > 3:
            raise KeyboardInterrupt
        return skip(job)

    monkeypatch.setitem(montecarlo.ENGINES, "skip", dying)
    before = {*threading.enumerate()}
    with pytest.raises(KeyboardInterrupt):
        three_runs(store=tmp_path, workers=1)
    for thread in {*threading.enumerate()} - before:  # nobody waits for it: it would go on by the engine set below
        thread.join()
    assert len(list(tmp_path.iterdir())) == 3
    (tmp_path / ".half.1.part").write_bytes(b"what a kill while writing leaves")
    computed = []
    monkeypatch.setitem(montecarlo.ENGINES, "skip", lambda job: computed.append(job) or skip(job))
    resumed = three_runs(store=tmp_path)
    assert len(computed) == 3
    assert same(resumed, three_runs())
    assert same(resumed, three_runs(store=tmp_path))
    assert len(computed) == 3 + 6
    few(RECIPE, SECONDS, SKETCH, chains=3000, seed=9, store=tmp_path)  # another run is not taken for one of these
    assert len(computed) == 3 + 6 + 1


def test_horizon_sets_the_volume_not_the_end():
    short = simulate_runs(RECIPE, tensor([[1.0]]), SKETCH, chains=4e4, horizon=4.0, seed=1)
    full = solvers.simulate(RECIPE, tensor([[1.0, 4.0]]), SKETCH).dead_chains[0]
    expected = 4e4 * float(full[0] / full[1])
    assert abs(int(short.events.dead_chains[0, -1]) - expected) < 4 * 170  # the spread of 200 such runs


@pytest.mark.parametrize("engine", montecarlo.ENGINES)
def test_a_reaction_that_runs_out_of_monomer_stops_there(engine):
    lasting = replace(SKETCH, k_bb=constant(0.0), k_tss=constant(2e4))
    volume = control_volumes(RECIPE, tensor([[0.1]]), lasting, chains=500)  # later they have no solution
    job = next(montecarlo._jobs(RECIPE, tensor([[6.0, 8.0]]), lasting, volume, 1, engine, 10, 0))
    result = montecarlo.ENGINES[engine](job)
    assert result["residual"].tolist() == [0, 0]
    assert result["live_units"][-1] + result["units"].sum() == job.molecules[0]


def test_warns_of_few_radicals_and_refuses_too_few():
    times = tensor([[5.0]])
    with pytest.warns(
        FewRadicals,
        match=r"reaction 1 \(1 mol/L of monomer, 0.02 mol/L of initiator, 70 °C\) has .* at 300 chains; .* chains",
    ):
        simulate_runs(RECIPE, times, BUTYL_ACRYLATE, chains=300, seed=0)
    with pytest.raises(InputError, match=r"live radicals on average .* would give 10"):
        simulate_runs(RECIPE, times, BUTYL_ACRYLATE, chains=20, seed=0)
    with pytest.warns(FewRadicals):
        simulate_runs(RECIPE, times, BUTYL_ACRYLATE, chains=20, seed=0, allow_few=True)


def test_what_the_guard_recommends_is_enough():
    with pytest.warns(FewRadicals) as caught:
        simulate_runs(RECIPE, tensor([[5.0]]), BUTYL_ACRYLATE, chains=300, seed=0)
    advice = float(str(caught[0].message).split("; ")[1].split(" chains")[0])
    simulate_runs(RECIPE, tensor([[5.0]]), BUTYL_ACRYLATE, chains=advice, seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chains": 0}, "chains is 0"),
        ({"chains": -1e6}, "chains is -1e\\+06"),
        ({"chains": float("nan")}, "chains is nan"),
        ({"chains": 1e-4}, "cannot hold one radical"),
        ({"horizon": 0.0}, "horizon is 0 s"),
        ({"seed": -1}, "seed is -1"),
        ({"replicates": 0}, "replicates is 0"),
        ({"workers": -2}, "workers is -2"),
        ({"workers": 0}, "workers is 0"),
        ({"engine": "slow"}, "no engine 'slow'; known: plain, skip"),
        ({"conditions": tensor([[1.0, -0.02, 70.0]])}, "initiator is -0.02"),
        ({"conditions": tensor([[0.0, 0.02, 70.0]])}, "monomer is 0"),
        ({"conditions": tensor([[1.0, 0.02, -300.0]])}, "temp is -300"),
        ({"times": tensor([[2.0, 1.0]])}, "ascending"),
        ({"chemistry": replace(BUTYL_ACRYLATE, k_p=constant(float("nan")))}, "k_p of butyl_acrylate is nan at 70 °C"),
        ({"chemistry": replace(BUTYL_ACRYLATE, k_tss=constant(-1.0))}, "k_tss of butyl_acrylate is -1"),
        ({"chemistry": replace(BUTYL_ACRYLATE, f=1.5)}, "f of butyl_acrylate is 1.5"),
        ({"chemistry": replace(BUTYL_ACRYLATE, k_d=constant(0.0))}, "give nan mol/L of dead chains"),
    ],
)
def test_nonsense_is_refused_with_one_line(change, message):
    good = {"conditions": RECIPE, "times": tensor([[10.0]]), "chemistry": BUTYL_ACRYLATE, "chains": 1e5, "seed": 0}
    given = good | {"allow_few": True} | change
    with pytest.raises(InputError, match=message) as caught:
        simulate_runs(given.pop("conditions"), given.pop("times"), given.pop("chemistry"), **given)
    assert "\n" not in str(caught.value)


def test_store_refuses_a_file_and_a_damaged_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        three_runs(store=tmp_path / "file")
    three_runs(store=tmp_path / "runs")
    next((tmp_path / "runs").glob("*.npz")).write_bytes(b"PK")
    with pytest.raises(InputError, match="is damaged"):
        three_runs(store=tmp_path / "runs")


def test_a_snapshot_without_a_dead_chain_is_refused():
    with pytest.raises(InputError, match=r"reaction 1: no chain has died by its first snapshot at 1e-06 s"):
        montecarlo.simulate(RECIPE, tensor([[1e-6, 4.0]]), SKETCH, chains=4e4, seed=1)


def test_unknown_events_are_named(sketches):
    with pytest.raises(InputError, match="no event 'death'"):
        sketches["skip"].events.count("death")
    assert sketches["skip"].events.events.shape == (1, len(EVENTS))
    assert sketches["skip"].events.elementary_events == sketches["skip"].events.events.sum()


@pytest.mark.slow
def test_the_published_grid():
    """432 recipes at 10⁶ chains against the labels of the study and against the rate equations."""
    grid, times, _, _ = runs(published_grid(), SYSTEM)
    labels = reaches_90_percent(grid)
    seen = simulate_runs(grid, times, BUTYL_ACRYLATE, chains=1e6, seed=1).growth.cumulated().snapshots(BUTYL_ACRYLATE)
    expected = solvers.simulate(grid, times, BUTYL_ACRYLATE)
    conversion = 1 - seen.residual_monomer[:, -1] / grid[:, 0]
    assert ((conversion >= 0.9) == labels).sum() >= 430
    error = (expected.residual_monomer[:, -1] - seen.residual_monomer[:, -1]) / grid[:, 0]
    assert error.abs().max() < 0.005
    assert error.mean().abs() < 3e-4
    Mn, Mw = seen.Mn / expected.Mn - 1, seen.Mw / expected.Mw - 1
    assert Mn.mean().abs() < 0.001
    assert Mn.std() < 0.0025
    assert Mw.std() < 0.004
    assert (seen.mmd - expected.mmd)[..., 41:].pow(2).mean().sqrt() < 0.006  # log10 M > 3.3: the noise of 10⁶ chains
