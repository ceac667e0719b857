#!/bin/sh
# Sourced after check.sh by scripts that start ranks: mpirun in a container, whose user is
# root, which has fewer cores than ranks and no network but its own.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_btl=self,vader,tcp OMPI_MCA_rmaps_base_oversubscribe=1
# Open MPI leaks, in modules that are unloaded by then; unit tests look for leaks of ours.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"

# needs_mpi BUILT: the script is skipped unless BUILT is 1 and there is mpirun.
needs_mpi()
{
    [ "$1" = 1 ] || skip_all 'built without MPI'
    command -v mpirun >/dev/null 2>&1 || skip_all 'no mpirun'
}

# within SECONDS COMMAND...: fails with 99 if it takes longer.
within()
{
    most=$1 start=$(date +%s)
    shift
    code=0
    "$@" || code=$?
    [ $(($(date +%s) - start)) -le "$most" ] || code=99
    return "$code"
}
