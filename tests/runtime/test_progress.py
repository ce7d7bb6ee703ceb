import logging

from polyinv.runtime import progress


def test_where_nobody_watches_a_line_comes_now_and_then(caplog, monkeypatch):
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    with caplog.at_level(logging.INFO), progress.counted("simulating", "runs", 100) as advance:
        for _ in range(5):
            advance(10, "so far so good")
    assert caplog.messages == [
        "simulating: 20 of 100 runs, 1 per s, 80 s left; so far so good",
        "simulating: 40 of 100 runs, 1 per s, 60 s left; so far so good",
    ]
