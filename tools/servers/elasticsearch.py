"""Elasticsearch: the newest that a JDK of this machine can run.

It is the distribution for integration tests, the core without its modules: no painless,
no reindex, no language analyzers. OpenSearch, see there, has those.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from tools.servers import debian, java, maven, search
from tools.servers.java import Java, JavaRange
from tools.servers.maven import Artifact, Maven
from tools.servers.recipe import Finding

# The newest first.
_VERSIONS = {"9.5.0": JavaRange(21), "8.19.9": JavaRange(17)}


class Elasticsearch(search.SearchRecipe):
    """One Elasticsearch node without security."""

    variable_prefix = "ES"
    script = "elasticsearch"

    def fetch(self) -> None:
        """Choose version and JDK, and download the server."""
        self.home()

    def java(self) -> Java:
        """Return the JDK that was chosen together with the version."""
        return self._choice[1]

    def home(self) -> Path:
        """Return the folder of the chosen version."""
        artifact = _artifact(self._choice[0])
        return self.installed(
            artifact.full_name,
            lambda work: search.unpack(Maven.require(self.settings), artifact, work),
        )

    def options(self) -> dict[str, str]:
        """Switch security off: there are no users on a loopback of tests."""
        return {"xpack.security.enabled": "false"}

    def findings(self) -> Iterator[Finding]:
        """Tell version, JDK, and whether they are here."""
        version, wanted, jdk = self._choose()
        if jdk:
            yield Finding(f"Elasticsearch {version} on {jdk}")
        else:
            sentence = f"Elasticsearch {version} needs {wanted}, and none was found"
            yield Finding(debian.missing(java.PACKAGE, sentence), is_missing=True)
        yield maven.download_finding(self.settings, _artifact(version).full_name)

    @cached_property
    def _choice(self) -> tuple[str, Java]:
        version, wanted, jdk = self._choose()
        purpose = f"Elasticsearch {version}"
        return version, jdk or java.require(self.settings, wanted, purpose)

    def _choose(self) -> tuple[str, JavaRange, Java | None]:
        candidates = _VERSIONS
        if chosen := self.settings.elasticsearch_version:
            candidates = {chosen: _java_range(chosen)}
        for version, wanted in candidates.items():
            if jdk := java.find(self.settings, wanted):
                return version, wanted, jdk
        return version, wanted, None  # the least demanding


def _java_range(version: str) -> JavaRange:
    major = version.partition(".")[0]
    return JavaRange(17) if major.isdigit() and int(major) < 9 else JavaRange(21)


def _artifact(version: str) -> Artifact:
    group = "org.elasticsearch.distribution.integ-test-zip"
    return Artifact(group, "elasticsearch", version, "zip")
