"""Renders everything of deploy/, as kubectl and Helm would, checks it against the schemas that Kubernetes publishes, and prints all
objects as JSON, by the name of what they come from.

    render.py DEPLOY VALUES     VALUES: a file with a list of values for the chart, each with a name
"""

import json
import pathlib
import shutil
import subprocess
import sys

import helm_python
import kubernetes_validate
import yaml

# The oldest that the chart is for, and the newest whose schemas are there.
VERSIONS = ("1.27", "1.37")
# Not of Kubernetes itself, and checked by monitors.mjs, or by nobody.
FOREIGN = {"monitoring.coreos.com", "kustomize.config.k8s.io"}


def objects(text):
    return [it for it in yaml.safe_load_all(text) if it]


def check(source, found):
    for it in found:
        if it["apiVersion"].split("/")[0] in FOREIGN:
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(it, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                sys.exit(f"{source}: {it['kind']} in Kubernetes {version}: {list(error.path)}: {error.message}")


def charts(deploy, values):
    chart = helm_python.Chart.load(str(deploy / "helm/pmr-runtime"))
    for name, given in values.items():
        chart.validate_schema(given)
        files = chart.render(given, name="shop", namespace="prod").items()
        yield f"chart {name}", [it for file, text in files if file.endswith(".yaml") for it in objects(text)]


def lint(deploy):
    result = helm_python.lint(str(deploy / "helm/pmr-runtime"))
    # 1 is a recommendation, that of an icon.
    if result["errors"] or any(message["severity"] > 1 for message in result["messages"]):
        sys.exit(f"lint: {result}")


def files(deploy):
    """What is written down, unrendered."""
    for file in sorted((deploy / "kubernetes").rglob("*.yaml")):
        found = objects(file.read_text())
        if all("kind" in it for it in found):
            yield f"file {file.relative_to(deploy)}", found


def kustomized(deploy):
    """What kubectl makes of it, where there is one."""
    if shutil.which("kubectl"):
        for directory in ("base", "example"):
            words = ["kubectl", "kustomize", str(deploy / "kubernetes" / directory)]
            text = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
            yield f"kustomize {directory}", objects(text)


def main(deploy, values):
    lint(deploy)
    found = [*charts(deploy, values), *files(deploy), *kustomized(deploy)]
    for source, those in found:
        check(source, those)
    json.dump(dict(found), sys.stdout)


main(pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text()))
