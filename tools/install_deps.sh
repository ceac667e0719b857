#!/bin/sh
# Install what libmae needs, on Debian and its relatives; elsewhere, check that it is there.
set -eu

usage()
{
    cat <<'END'
Usage: tools/install_deps.sh [--tests] [--data] [--help]

Installs the compiler, the build tools and the libraries of libmae with apt-get, as root or
through sudo. Does nothing if all of it is there. Where there is no apt-get, checks that
pkg-config finds the libraries, and else lists what is missing. oneDNN (libdnnl-dev) is optional:
without it everything runs in f32, with OpenBLAS. So is Open MPI (libopenmpi-dev, openmpi-bin):
without it a program is one process.

  --tests   also what the test suite needs, and a browser (Chromium, 125 MB): without it the
            test of reports is skipped
  --data    also the images of the quick start (Fashion-MNIST, 30 MB)
END
}

packages='gcc libc6-dev pkg-config meson ninja-build libopenblas-dev libjpeg62-turbo-dev
libpng-dev zlib1g-dev libhdf5-dev libyaml-dev libjansson-dev libdnnl-dev libopenmpi-dev
openmpi-bin'
commands='cc pkg-config meson ninja'
browser=
modules='openblas libjpeg libpng zlib hdf5-serial yaml-0.1 jansson'
data=

while [ $# -gt 0 ]; do
    case $1 in
    --tests)
        packages="$packages check clang-format-14 hdf5-tools"
        modules="$modules check"
        ;;
    --data)
        packages="$packages dataset-fashion-mnist"
        data=/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "install_deps.sh: unknown option $1; see --help" >&2
        exit 2
        ;;
    esac
    shift
done

# missing_packages NAME...: those that are not installed.
missing_packages()
{
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
            printf '%s ' "$package"
    done
}

# What the build cannot do without, however it was installed.
missing_parts()
{
    for command in $commands; do
        command -v "$command" >/dev/null 2>&1 || printf 'command:%s ' "$command"
    done
    for module in $modules; do
        pkg-config --exists "$module" 2>/dev/null || printf 'library:%s ' "$module"
    done
    [ -z "$data" ] || [ -f "$data" ] || printf 'data:%s ' "$data"
}

# go_on_without REASON: fine if everything is there without apt-get; else explain and end.
go_on_without()
{
    parts=$(missing_parts)
    if [ -z "$parts" ]; then
        echo "install_deps.sh: $1, but everything that is needed was found"
        exit 0
    fi
    {
        echo "install_deps.sh: $1, and this is missing: $parts"
        echo "The Debian packages are: $(echo "$packages" | tr '\n' ' ')"
    } >&2
    exit 1
}

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    go_on_without 'there is no apt-get here'
fi
# shellcheck disable=SC2086 # lists of words
missing=$(missing_packages $packages) more=$(missing_packages $browser)
if [ -z "$missing$more" ]; then
    echo 'install_deps.sh: all packages are installed'
    exit 0
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || go_on_without 'neither root nor sudo'
    sudo=sudo
fi
echo "install_deps.sh: installing $missing$more"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words; sudo may be empty
install()
{
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends "$@" </dev/null
}

$sudo apt-get update -q || go_on_without 'apt-get update failed'
# shellcheck disable=SC2086 # lists of words
{
    [ -z "$missing" ] || install $missing || go_on_without 'apt-get install failed'
    [ -z "$more" ] || install $more || echo "install_deps.sh: no browser; its test is skipped"
}
