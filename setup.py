"""What pyproject.toml cannot say: the example suites are in the wheel as well, for `pitcheval init --like`."""

from setuptools import find_packages, setup

EXAMPLES = "pytest_pitcheval.example_suite"

setup(
    packages=[*find_packages(include=["pytest_pitcheval*"]), EXAMPLES],
    package_dir={EXAMPLES: "example_suite"},
    package_data={
        "pytest_pitcheval": ["py.typed"],
        "pytest_pitcheval.reports.html": ["templates/*"],
        EXAMPLES: ["*/*.py", "*/*.md", "*/*.ini", "*/data/*", "*/recorded/*", "*/recorded/*/*"],
    },
)
