"""What failed cables cost a cluster: the same at any thread count, as a table, as a picture, on a training step."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ampacity as amp
from ampacity._failure_report import failure_text
from ampacity.cli import main

ROCE = amp.cluster("meta-24k-roce")


def test_one_percent_of_the_spine_of_the_roce_cluster():
    """36 of 3,584 cables: exchanges, which the 7:1 layer bounds, lose more than 1 % of their speed, the mean rank less."""
    study = amp.fail_links(ROCE, 0.01, seed=0)
    assert (study.failed, study.cables, study.tier.name) == (36, 3584, "tier 2 to 3")
    assert study.cut_off == ()
    neighbours, exchange = study.patterns
    # Of each pod only one node's ranks leave it: the spine is nearly idle, and what moves finds room.
    assert neighbours.bandwidth_ratio == pytest.approx(1, abs=1e-9)
    assert 0.80 < exchange.bandwidth_ratio < 0.99
    assert exchange.after.mean_bytes_per_s == pytest.approx(exchange.before.mean_bytes_per_s, rel=0.04)
    assert exchange.flows_affected > 10_000
    spine = study.tier.name
    # Links of the spine carry the same bytes in more time, the fullest is busy to the end.
    assert exchange.after.utilisation[spine][0] < exchange.before.utilisation[spine][0]
    assert exchange.after.utilisation[spine][-1] == pytest.approx(1, abs=0.02)


def test_threads_change_no_bit():
    one, four = (amp.fail_links(ROCE, 0.01, seed=3, threads=threads) for threads in (1, 4))
    assert json.dumps(one.to_dict()) == json.dumps(four.to_dict())
    for a, b in zip(one.patterns, four.patterns, strict=True):
        assert (a.before.rank_s == b.before.rank_s).all()
        assert (a.after.rank_s == b.after.rank_s).all()


def test_nothing_fails():
    study = amp.fail_links(amp.cluster("deepseek-h800-2k"), 0.0)
    assert study.failed == 0
    for pattern in study.patterns:
        assert pattern.bandwidth_ratio == 1
        assert pattern.flows_affected == 0


def test_cut_off_endpoints_are_listed():
    """Every leaf cable that fails cuts one endpoint off from the fabric; its neighbours in the node still reach it."""
    cluster = amp.cluster("deepseek-h800-2k")
    study = amp.fail_links(cluster, 0.01, tier="leaf")
    assert study.failed == 20
    assert study.cut_off == ()  # NVLink still joins them, but nobody forwards for them:
    unreached = [np.isinf(pattern.after.rank_s).sum() for pattern in study.patterns]
    assert all(20 <= count <= 40 for count in unreached)  # as sender, as receiver, or both


def test_a_training_step_feels_what_is_left_of_the_bandwidth():
    job = amp.Training(amp.model("llama-3.1-405b"), global_batch=2048)
    layout = amp.Layout(tp=8, pp=16, dp=128)
    study = amp.fail_links(ROCE, 0.2, seed=1, job=job, layout=layout)
    estimates = study.estimates
    assert estimates is not None
    ratio = {pattern.name: pattern.bandwidth_ratio for pattern in study.patterns}
    hurt = amp.with_bandwidth_ratio(ROCE, ratio["exchange"])
    after = estimates["after, all traffic as exchange"]
    assert after.step_time_s == amp.estimate(job, hurt, layout).step_time_s > estimates["before"].step_time_s


def test_the_collectives_of_the_whole_job_feel_what_failed():
    """All groups of the job on the links: the study is two simulations, and failures cost time on the spine only."""
    job = amp.Training(amp.model("llama-3.1-405b"), global_batch=2048)
    layout = amp.Layout(tp=8, pp=16, dp=128)
    study = amp.fail_links(ROCE, 0.2, seed=1, job=job, layout=layout)
    assert study.job is not None
    before, after = study.job.before, study.job.after
    assert after is not None
    health = amp.NetworkHealth(failed_fraction=0.2)
    options = {"variability": "none", "seed": 1}
    assert before.step_time_s == amp.simulate(job, ROCE, layout, **options).step_time_s
    assert after.step_time_s == amp.simulate(job, ROCE, layout, network_health=health, **options).step_time_s
    assert after.step_time_s > before.step_time_s
    assert after.rank_s.shape == (16384,)
    assert after.rank_s[after.slowest_rank] == after.rank_s.max() > before.rank_s.max()
    # The same bytes over fewer cables.
    spine = study.tier.name
    assert after.utilisation[spine][-1] > before.utilisation[spine][-1]
    four = amp.fail_links(ROCE, 0.2, seed=1, job=job, layout=layout, threads=4)
    assert json.dumps(four.to_dict()) == json.dumps(study.to_dict())


def test_a_job_that_is_cut_off_says_so():
    cluster = amp.cluster("deepseek-h800-2k")
    job = amp.Training(amp.model("llama-3.1-8b"), global_batch=1024, seq_len=8192)
    study = amp.fail_links(cluster, 0.01, tier="leaf", job=job, layout=amp.Layout(tp=8, dp=256))
    assert study.job is not None
    assert study.job.after is None
    assert "cut" in study.job.reason


def test_command_line(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "spine.png"
    command = ["network", "deepseek-h800-2k", "--fail-links", "5%", "--tier", "spine", "--seed", "2"]
    assert main([*command, "--plot", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "102 of 2,048 cables 'tier 1 to 2' fail (4.98%, seed 2); no endpoint is cut off" in text
    assert picture.stat().st_size > 10_000
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [pattern["name"] for pattern in found["patterns"]] == ["neighbours", "exchange"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fail-links", "200%"], "fraction = 2: must be between 0 and 1"),
        (["--fail-links", "some"], "must be a share such as 1% or 0.01"),
        (["--fail-links", "1%", "--tier", "top"], "must be spine, leaf, or one of"),
        (["--fail-links", "1%", "--plot", "x.gif"], "must end in one of .png, .svg, .pdf"),
    ],
)
def test_mistakes(capsys, flags, message):
    with pytest.raises(SystemExit) as caught:
        main(["network", "deepseek-h800-2k", *flags])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_tier_of_which_nothing_is_left():
    """Ranks that are cut off are counted, not left out of the comparison in silence."""
    job = amp.Training("llama-3.1-8b", global_batch=2048)
    layout = amp.Layout(tp=2, dp=1024, zero_stage=1)
    study = amp.fail_links(amp.cluster("deepseek-h800-2k"), 1.0, job=job, layout=layout)
    assert study.failed == study.cables
    exchange = study.patterns[1]
    # 2,048 ranks under 64 leaves of 32: a random partner is under the same leaf once in 64 times.
    assert 0.97 * 2048 < exchange.after.ranks_cut_off < 2048
    assert exchange.after.utilisation[study.tier.name] == (0.0,) * 4
    assert study.job is not None
    assert study.job.after is None
    assert set(study.to_dict()["training_step_time_s"]) == {"before"}
    assert study.to_dict()["patterns"][1]["after"]["ranks_cut_off"] == exchange.after.ranks_cut_off
    text = failure_text(study)
    assert "ranks cannot send" in text
    assert "never ends" in text
