"""What the environment may say."""

import pytest

from lambdas.transform.settings import Settings, SettingsError, read_settings


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        ({}, Settings(route="", steps=("json", "severity", "service"))),
        ({"SLUICE_ROUTE": "web"}, Settings(route="web", steps=("json", "severity", "service"))),
        ({"SLUICE_STEPS": " service, json ,"}, Settings(steps=("service", "json"))),
        ({"SLUICE_STEPS": "", "SLUICE_ROUTE": "raw"}, Settings(route="raw", steps=())),
    ],
)
def test_steps_are_all_unless_named_and_run_in_the_order_named(environment, settings):
    assert read_settings(environment) == settings


def test_unknown_step_is_refused_with_variable_value_and_what_is_known():
    with pytest.raises(SettingsError) as refused:
        read_settings({"SLUICE_STEPS": "json,acces"})

    assert str(refused.value) == "SLUICE_STEPS='json,acces': no step is called acces; known are json, severity, service"
