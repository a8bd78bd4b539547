"""Pools: only what a lock names gets into one, and what is gone from the mirror is told."""

import hashlib
import subprocess

import pytest
from lock import LockError, Package
from pool import Cache, lay_out

CONTROL = """\
Package: tiny
Version: 1.0
Architecture: all
Maintainer: Regard maintainers <regard@localhost>
Description: nothing
"""


@pytest.fixture(name="mirror")
def a_mirror(tmp_path):
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(CONTROL)
    folder = tmp_path / "mirror/pool/main/t/tiny"
    folder.mkdir(parents=True)
    made = folder / "tiny_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, made], check=True, capture_output=True)
    return tmp_path / "mirror"


@pytest.fixture(name="package")
def a_package(mirror):
    path = "pool/main/t/tiny/tiny_1.0_all.deb"
    content = (mirror / path).read_bytes()
    return Package("tiny", "1.0", "all", len(content), hashlib.sha256(content).hexdigest(), path)


def test_a_package_comes_from_the_first_mirror_that_has_it(tmp_path, mirror, package):
    cache = Cache(tmp_path / "cache")

    assert cache.missing([package]) == [package]
    cache.fetch([package], [f"file:{tmp_path}/nowhere", f"file:{mirror}"])
    assert cache.missing([package]) == []


def test_a_package_that_the_mirror_has_no_more_is_named_and_how_to_renew_the_lock(
    tmp_path, mirror, package
):
    (mirror / package.path).unlink()

    with pytest.raises(LockError, match=r"tiny 1\.0\n(?s:.*)make image-lock"):
        Cache(tmp_path / "cache").fetch([package], [f"file:{mirror}"])


def test_other_bytes_are_not_taken_for_a_package(tmp_path, mirror, package):
    (mirror / package.path).write_bytes(bytes(package.size))

    with pytest.raises(LockError, match="tiny"):
        Cache(tmp_path / "cache").fetch([package], [f"file:{mirror}"])


def test_a_package_that_was_altered_in_the_cache_is_fetched_again(tmp_path, mirror, package):
    cache = Cache(tmp_path / "cache")
    cache.path(package).write_bytes(bytes(package.size))

    assert cache.missing([package]) == [package]
    cache.fetch([package], [f"file:{mirror}"])
    assert cache.missing([package]) == []


def test_a_pool_has_an_index_that_names_each_package_by_its_hash(tmp_path, mirror, package):
    cache = Cache(tmp_path / "cache")
    cache.fetch([package], [f"file:{mirror}"])
    lay_out([package], cache, tmp_path / "pool")

    index = (tmp_path / "pool/Packages").read_text()
    assert index.startswith("Package: tiny\n")
    assert f"SHA256: {package.sha256}\n" in index
    assert hashlib.sha256(index.encode()).hexdigest() in (tmp_path / "pool/Release").read_text()
    assert sorted(path.name for path in (tmp_path / "pool").iterdir()) == [
        "Packages",
        "Release",
        "tiny_1.0_all.deb",
    ]
