"""Labels survive what happens to browsers and servers; the large run is in `benchmarks`."""

import label_chaos


def test_nothing_is_lost_or_doubled_by_a_killed_server_a_cut_network_and_closed_tabs(
    browser, tmp_path
):
    found = label_chaos.measure(
        tmp_path, browser, operations=300, kills=1, cuts=1, closings=3, seed=4
    )
    happened = {name: found[name] for name in ("kills", "cuts", "closings")}
    assert happened == {"kills": 1, "cuts": 1, "closings": 3}
    assert found["operations"] >= 300
    assert found["applied"] > 150
    assert found["refused_because"] == []
    unwanted = ("lost", "doubled", "unknown", "misplaced", "still_queued", "refused")
    assert {name: found[name] for name in unwanted} == dict.fromkeys(unwanted, 0), found
    assert found["equal_to_server"] == {"replay": True, "tab 1": True, "tab 2": True}
