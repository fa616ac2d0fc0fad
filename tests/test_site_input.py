"""What a user can get wrong about sites: weather files, plants, batteries, breakers."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.test_cli import answer, refused, strict_json

import ampacity as amp


def weather_file(folder, header, rows):
    path = folder / "weather.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


YEAR = ["20,15"] * 8760


def times(count=8760):
    start = datetime.datetime(2023, 1, 1)
    return [f"{(start + datetime.timedelta(hours=h)).isoformat()},20,15" for h in range(count)]


def test_weather_file_round_trip(tmp_path):
    climate = amp.climate("memphis")
    year = amp.weather_year(climate)
    rows = [f"{d!r},{w!r}" for d, w in zip(year.dry_bulb_c.tolist(), year.wet_bulb_c.tolist(), strict=True)]
    read = amp.read_weather(weather_file(tmp_path, "dry_bulb_c,wet_bulb_c", rows))
    assert (read.dry_bulb_c == year.dry_bulb_c).all()
    cluster = amp.cluster("colossus-100k")
    built_in, given_hours = amp.site_power(cluster), amp.site_power(cluster, weather=read)
    assert given_hours.pue_mean == built_in.pue_mean
    assert given_hours.climate == "measured weather"


def test_humidity_as_share_and_in_percent(tmp_path):
    share = amp.read_weather(weather_file(tmp_path, "dry_bulb_c,relative_humidity", ["20,0.5"] * 8784))
    percent = amp.read_weather(weather_file(tmp_path, "dry_bulb_c,relative_humidity", ["20,50"] * 8784))
    assert share.wet_bulb_c[0] == percent.wet_bulb_c[0] == amp.wet_bulb_c(20, 0.5)


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        ("dry_bulb_c,wet_bulb_c", YEAR[:-1], "8759 hours.*8760 or 8784"),
        ("dry_bulb_c,wet_bulb_c", [], "0 hours"),
        ("dry_bulb_c,wet_bulb_c", [*YEAR[:99], "nan,15", *YEAR[100:]], "nan for dry_bulb_c in line 101"),
        ("dry_bulb_c,wet_bulb_c", [*YEAR[:99], ",15", *YEAR[100:]], "nothing for dry_bulb_c in line 101"),
        ("dry_bulb_c,wet_bulb_c", [*YEAR[:99], "warm,15", *YEAR[100:]], "'warm' for dry_bulb_c in line 101"),
        ("dry_bulb_c,wet_bulb_c", [*YEAR[:99], "20,15,3", *YEAR[100:]], "3 values in line 101, not 2"),
        ("dry_bulb_c,wet_bulb_c", [*YEAR[:99], "20,25", *YEAR[100:]], r"wet_bulb_c\[99\].*above dry_bulb_c"),
        ("dry_bulb_c,wet_bulb_c", ["295,288"] * 8760, r"dry_bulb_c\[0\].*between -90 and 60"),
        ("dry_bulb_c,relative_humidity", ["20,-0.1"] * 8760, "relative_humidity.*between 0 and 1"),
        ("dry_bulb_c", ["20"] * 8760, "columns dry_bulb_c.*wet_bulb_c or relative_humidity"),
        ("temperature,wet_bulb_c", YEAR, "columns temperature"),
        ("time,dry_bulb_c,wet_bulb_c", [*times()[:50], *times()[52:]], "leaps 3 hours in line 52"),
        ("time,dry_bulb_c,wet_bulb_c", [*times()[:50], *times()[49:]], "repeats an hour in line 52"),
        ("time,dry_bulb_c,wet_bulb_c", [*times()[:50], *times()[40:]], "goes back in line 52"),
        ("time,dry_bulb_c,wet_bulb_c", ["noon,20,15"], "'noon' for time in line 2"),
    ],
)
def test_weather_that_cannot_be_used(tmp_path, header, rows, words):
    with pytest.raises(amp.InvalidSpec, match=words) as error:
        amp.read_weather(weather_file(tmp_path, header, rows))
    assert "weather.csv" in str(error.value)


def test_weather_arrays_are_checked():
    cluster = amp.cluster("colossus-100k")
    good = np.full(8760, 20.0)
    for hour in (0, 4000, 8759):
        bad = good.copy()
        bad[hour] = np.nan
        with pytest.raises(amp.InvalidSpec, match=rf"dry_bulb_c\[{hour}\]"):
            amp.site_power(cluster, weather=amp.Weather(bad, good))
    with pytest.raises(amp.InvalidSpec, match="as many hours"):
        amp.site_power(cluster, weather=amp.Weather(good, good[:-1]))


@given(load=st.floats(allow_nan=True, allow_infinity=True))
def test_any_load_is_an_answer_or_an_error(load):
    cluster = amp.cluster("dgx-h100-x1")
    if 0 < load <= 1:
        assert amp.site_power(cluster, load_fraction=load).pue_mean > 1
    else:
        with pytest.raises(amp.InvalidSpec, match="load_fraction"):
            amp.site_power(cluster, load_fraction=load)


def test_caps_that_cannot_be():
    cluster = amp.cluster("dgx-h100-x1")
    with pytest.raises(amp.InvalidSpec, match=r"device_limit_w.*h100-sxm draws idle"):
        amp.site_power(cluster, device_limit_w=10.0)
    for name in ("device_mean_w", "device_limit_w"):
        for watts in (-1.0, float("nan"), float("inf")):
            with pytest.raises(amp.InvalidSpec, match=rf"{name}.*0 or more"):
                amp.site_power(cluster, **{name: watts})


def test_plants_that_contradict_themselves():
    plant = amp.plant("liquid-dry")
    with pytest.raises(amp.InvalidSpec, match=r"ups\[1\].load_fraction.*above that of the point before"):
        plant.replace(ups=[{"load_fraction": 0.5, "efficiency_fraction": 0.9}] * 2)
    with pytest.raises(amp.InvalidSpec, match="more load loses less"):
        plant.replace(
            ups=[
                {"load_fraction": 0.5, "efficiency_fraction": 0.8},
                {"load_fraction": 0.6, "efficiency_fraction": 0.99},
            ]
        )
    with pytest.raises(amp.InvalidSpec, match="main_board_w"):
        plant.replace(main_board_w=1e6)
    with pytest.raises(amp.InvalidSpec, match="row_breaker_w"):
        plant.replace(row_breaker_w=0.0)
    with pytest.raises(amp.InvalidSpec, match="supply_c"):
        plant.replace(liquid={"supply_c": float("nan")})
    with pytest.raises(amp.InvalidSpec, match="did you mean liquid"):
        amp.Plant.from_dict(plant.to_dict() | {"liquids": 1})
    with pytest.raises(amp.InvalidSpec, match="did you mean liquid-dry"):
        amp.site("generic-us").replace(plant="liquid-dri")


def test_climates_that_contradict_themselves():
    climate = amp.climate("memphis").to_dict()
    with pytest.raises(amp.InvalidSpec, match="twelve months"):
        amp.Climate.from_dict(climate | {"months": climate["months"][:11]})
    wrong = [dict(month) for month in climate["months"]]
    wrong[3]["dew_point_c"] = 25.0
    with pytest.raises(amp.InvalidSpec, match=r"months\[3\].dew_point_c.*above dry_bulb_c"):
        amp.Climate.from_dict(climate | {"months": wrong})


def test_batteries_of_zero_size():
    site = amp.site("generic-us")
    with pytest.raises(amp.InvalidSpec, match=r"battery_j.*above 0 where battery_w"):
        site.replace(generation={"battery_w": 1e6})
    with pytest.raises(amp.InvalidSpec, match=r"battery_w.*above 0 where battery_j"):
        site.replace(generation={"battery_j": 1e9})


def test_site_without_a_plant_says_so():
    cluster = amp.cluster("colossus-100k")
    site = amp.Site(name="mine", grid="tva", pue_mean=1.1, pue_peak=1.2)
    with pytest.raises(amp.InvalidSpec, match=r"cluster.site.plant: is missing(.|\n)*cluster.site.climate: is missing"):
        amp.site_power(cluster.replace(site=site))
    with pytest.raises(amp.InvalidSpec, match=r"pue_from_plant.*plant and climate"):
        site.replace(pue_from_plant=True)


def test_overloaded_breakers_are_named():
    cluster = amp.cluster("h100-100k")
    fine = amp.site_power(cluster)
    assert all(level.overloaded_nameplate == 0 for level in fine.breakers)
    # Racks of 12.6 kW as in Dynamo (ISCA 2016) under nodes of 10.2 kW, four to a rack.
    node = cluster.partitions[0].node
    site = cluster.site.replace(plant=cluster.site.plant.replace(rack_breaker_w=12.6e3))
    power = amp.site_power(cluster.replace(site=site))
    rack = power.breakers[0]
    nodes_in_rack = min(node.nodes_per_rack, cluster.accelerators / node.accelerators)
    assert rack.overloaded_peak >= cluster.accelerators / node.accelerators / nodes_in_rack - 1
    assert rack.peak_w > rack.rating_w == 12.6e3
    too_much = (rack.peak_w / rack.rating_w - 1) * 100
    assert any(f"{round(too_much, 1):g} % too much" in warning for warning in power.warnings)


def test_oversubscribed_rows_are_named():
    """Provisioned for 60 % of the ratings, rows pass their panels at peak."""
    cluster = amp.cluster("h100-100k")
    site = cluster.site.replace(plant=cluster.site.plant.replace(provision_fraction=0.6))
    power = amp.site_power(cluster.replace(site=site))
    row = power.breakers[1]
    assert row.overloaded_peak > 0
    assert row.peak_w > row.rating_w == 190e3
    assert any("row panel" in warning for warning in power.warnings)


def test_boards_by_hand():
    """Racks of 40.8 kW: 4 to a row of 190 kW, 28 to a board of 1.25 MW (7 rows), 56 to a main board."""
    cluster = amp.cluster("dgx-h100-x1").replace(
        partitions=[{"node": amp.node("dgx-h100"), "accelerators": 8 * 4 * 560}],
        fabric="infiniband-ndr",
    )
    site = cluster.site.replace(storage_w_per_accelerator=0.0)
    levels = amp.site_power(cluster.replace(site=site)).breakers
    assert levels[0].nameplate_w == pytest.approx(4 * 10_200)
    racks = levels[0].count
    assert racks >= 560
    assert levels[1].nameplate_w == pytest.approx(4 * 4 * 10_200, rel=0.2)
    assert levels[2].count >= 560 / 28
    assert levels[3].count >= 560 / 56


def test_grid_that_is_too_small():
    cluster = amp.cluster("colossus-100k")
    site = cluster.site.replace(power_limit_w=8e7)
    power = amp.site_power(cluster.replace(site=site))
    assert power.supply.unserved_hours == 8760
    assert power.supply.grid_peak_w == pytest.approx(8e7)
    assert power.supply.shortage_w == pytest.approx(power.facility_peak_w - 8e7)
    assert any("beyond grid and generators" in warning for warning in power.warnings)
    gas = amp.site_power(cluster.replace(site=site.replace(generation={"gas_w": 1e8})))
    assert gas.supply.unserved_j == 0
    assert gas.supply.gas_j == pytest.approx(gas.energy_j - 8e7 * 8760 * 3600, rel=1e-9)
    # Diesel comes last, the sun first.
    sun = amp.site_power(cluster.replace(site=site.replace(generation={"solar_w": 1e9, "diesel_w": 1e8})))
    assert sun.supply.solar_j > 0
    assert sun.supply.diesel_j > 0
    assert sun.supply.solar_unused_j > 0


def test_sun_of_a_year():
    """A megawatt in Louisiana: 1,600 kWh/m2 a year on level ground (NSRDB: 4.5 kWh a day) x 0.85, within 12 %."""
    cluster = amp.cluster("hyperion")
    site = cluster.site.replace(generation={"solar_w": 1e6})
    power = amp.site_power(cluster.replace(site=site))
    assert power.supply.solar_j / 3.6e9 / 0.85 == pytest.approx(1640, rel=0.12)


def test_cli(tmp_path):
    found = strict_json(answer("site", "colossus-100k", "--json"))
    assert found["pue_mean"] == amp.site_power(amp.cluster("colossus-100k")).pue_mean
    assert found["tree"][0]["parent"] == -1
    assert {"level", "name", "parent", "mean_w"} <= set(found["tree"][3])
    assert "hours" not in found
    hours = strict_json(answer("site", "colossus-100k", "--json", "--hours", "--load", "80%"))["hours"]
    assert len(hours["pue"]) == 8760
    text = answer("site", "colossus-100k", "--plant", "liquid-dry", "--climate", "abilene")
    assert "plant liquid-dry, climate abilene" in text
    assert "PUE" in text
    assert (
        len(answer("site", "colossus-100k", "--hours").splitlines())
        == len(answer("site", "colossus-100k").splitlines()) + 14
    )
    path = weather_file(tmp_path, "dry_bulb_c,wet_bulb_c", YEAR)
    assert (
        json.loads(answer("site", "colossus-100k", "--weather", str(path), "--json"))["climate"] == "measured weather"
    )
    assert "no such file" in refused("site", "colossus-100k", "--weather", str(tmp_path / "none.csv"))
    assert "did you mean" in refused("site", "colosus-100k")
