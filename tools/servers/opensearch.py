"""OpenSearch: a second real search server, with what the core Elasticsearch lacks.

Its distribution for tests is just as bare, but its modules are Maven artifacts of their
own, and are added here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.servers import debian, java, maven, search
from tools.servers.java import Java, JavaRange
from tools.servers.maven import Artifact, Maven
from tools.servers.recipe import Finding, Scratch

_VERSION = "2.19.3"

# It relies on the security manager, which Java 24 has removed.
_JAVA = JavaRange(17, below=24)

_DISTRIBUTION = Artifact(
    "org.opensearch.distribution.integ-test-zip", "opensearch", _VERSION, "zip"
)

# Not the distribution's own name: another set of modules needs another folder.
_INSTALLATION = f"opensearch-{_VERSION}-with-modules"

_DESCRIPTOR = """\
description=The module {name}
version={version}
name={name}
classname={class_name}
java.version=11
opensearch.version={version}
custom.foldername=
extended.plugins={extends}
has.native.controller=false
"""


@dataclass(frozen=True)
class _Module:
    """One module: the artifact, and what its descriptor says of it."""

    name: str
    artifact: str
    class_name: str
    #: The module whose extension points it fills.
    extends: str = ""
    #: The permissions that it needs of the security manager.
    policy: tuple[str, ...] = ()


_MODULES = (
    _Module(
        "lang-painless",
        "lang-painless",
        "org.opensearch.painless.PainlessPlugin",
        policy=(
            'java.lang.RuntimePermission "createClassLoader"',
            'java.lang.RuntimePermission "getClassLoader"',
            'org.opensearch.script.ClassPermission "<<STANDARD>>"',
        ),
    ),
    _Module(
        "reindex",
        "reindex-client",
        "org.opensearch.index.reindex.ReindexPlugin",
        policy=(
            'java.net.SocketPermission "*", "connect"',
            'java.lang.RuntimePermission "setContextClassLoader"',
            'java.lang.RuntimePermission "getClassLoader"',
            'java.net.NetPermission "getProxySelector"',
        ),
    ),
    _Module(
        "analysis-common",
        "analysis-common",
        "org.opensearch.analysis.common.CommonAnalysisPlugin",
        extends="lang-painless",
    ),
    _Module(
        "mapper-extras",
        "mapper-extras-client",
        "org.opensearch.index.mapper.MapperExtrasPlugin",
    ),
    _Module(
        "parent-join", "parent-join-client", "org.opensearch.join.ParentJoinPlugin"
    ),
)


class OpenSearch(search.SearchRecipe):
    """One OpenSearch node with scripts, reindexing, analyzers and joins."""

    variable_prefix = "OPENSEARCH"
    script = "opensearch"

    def fetch(self) -> None:
        """Find the JDK, and download the server with its modules."""
        self.java()
        self.home()

    def java(self) -> Java:
        """Return the JDK that it runs on."""
        return java.require(self.settings, _JAVA, f"OpenSearch {_VERSION}")

    def home(self) -> Path:
        """Return the folder of the server with its modules."""
        return self.installed(_INSTALLATION, self._build)

    def options(self) -> dict[str, str]:
        """Return nothing: it has no settings that Elasticsearch has not."""
        return {}

    def prepare(self, scratch: Scratch) -> None:
        """Let the JVM write into the scratch folder too."""
        super().prepare(scratch)
        # The start script changes to the installation, where nobody may write.
        jvm_options = scratch.folder / "config" / "jvm.options"
        text = jvm_options.read_text()
        for relative in ("=logs/", ":logs/", "=data"):
            absolute = f"{relative[0]}{scratch.folder}/{relative[1:]}"
            text = text.replace(relative, absolute)
        jvm_options.write_text(text)

    def findings(self) -> Iterator[Finding]:
        """Tell version, JDK, and whether they are here."""
        if jdk := java.find(self.settings, _JAVA):
            yield Finding(f"OpenSearch {_VERSION} on {jdk}")
        else:
            sentence = f"OpenSearch {_VERSION} needs {_JAVA}, and none was found"
            yield Finding(debian.missing(java.PACKAGE, sentence), is_missing=True)
        yield maven.download_finding(self.settings, _INSTALLATION)

    def _build(self, work: Path) -> Path:
        mvn = Maven.require(self.settings)
        home = search.unpack(mvn, _DISTRIBUTION, work)
        for module in _MODULES:
            _add(module, home, mvn)
        return home


def _add(module: _Module, home: Path, mvn: Maven) -> None:
    folder = home / "modules" / module.name
    artifact = Artifact("org.opensearch.plugin", module.artifact, _VERSION)
    mvn.copy_with_dependencies([artifact], folder)
    # The server refuses to start when a class is there twice.
    for shared in (home / "lib").glob("*.jar"):
        (folder / shared.name).unlink(missing_ok=True)
    descriptor = _DESCRIPTOR.format(
        name=module.name,
        version=_VERSION,
        class_name=module.class_name,
        extends=module.extends,
    )
    (folder / "plugin-descriptor.properties").write_text(descriptor)
    if module.policy:
        grants = "".join(f"  permission {grant};\n" for grant in module.policy)
        (folder / "plugin-security.policy").write_text(f"grant {{\n{grants}}};\n")
