#!/bin/sh
# test_ranks.sh PROGRAM MPI: the program ranks.c as 2 and 4 ranks, and with one that hangs
# or dies. TAP on stdout; skipped unless MPI is 1.
set -eu

ranks=$(realpath "$1")
. "$(dirname "$(realpath "$0")")/../tools/check.sh"
. "$(dirname "$(realpath "$0")")/../ranks/mpi.sh"
needs_mpi "$2"

# hanging WORLD HOW: ranks of which one hangs. Without the help text of MPI_Abort, which
# mpirun 4.1 garbles now and then ("Out of resource" in show_help.c) or ends of with a
# segmentation fault in place of the exit code.
hanging()
{
    within 20 env OMPI_MCA_orte_execute_quiet=1 mpirun -np "$1" "$ranks" "$2"
}

for world in 2 4; do
    for wire in f32 bf16; do
        check "$world ranks, $wire" 0 "^$world ranks are right" \
            mpirun -np "$world" "$ranks" "$wire"
    done
    check "$world ranks over TCP" 0 "^$world ranks are right" \
        mpirun --mca btl self,tcp -np "$world" "$ranks" f32
    check "$world ranks, one sleeps" 1 '^communication: rank . of .: nothing came .* 2 s' \
        hanging "$world" sleeps
    check "$world ranks, one is stopped" 1 '^communication: rank . of .: nothing came' \
        hanging "$world" stops
    check "$world ranks, one dies" 9 'exit code\|exited' \
        within 20 mpirun -np "$world" "$ranks" dies
done
check 'started as 4, each by itself' 9 'started as 4 ranks, but MPI finds one alone' \
    env OMPI_COMM_WORLD_SIZE=4 "$ranks" f32
check 'alone, without mpirun' 0 '^1 ranks are right' "$ranks" sleeps
echo "1..$count"
