#!/bin/sh
# Includes go down the layers only, and a library's header appears in its owner only.
# The order is that of the map in src/README.md. Tests may include everything; installed
# headers ("mae/...") may be included by all and include only each other.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# folder:level; a file may include its own folder and folders of a lower level.
levels='base:0 kernel:1 conf:1 nn:2 image:2 optim:2 store:2 comm:2 data:3 model:3 eval:4
train:5 common:6'

# header:folder that may include it.
owners='cblas.h:kernel openblas_config.h:kernel dnnl.h:kernel yaml.h:conf
jpeglib.h:image jerror.h:image turbojpeg.h:image png.h:image hdf5.h:store
hdf5_hl.h:store jansson.h:store mpi.h:comm'

# check WHAT: lines of "file:line: problem" over all includes of src, include, tools.
check()
{
    files 'src/*.c' 'src/*.h' 'include/*.h' 'tools/*.c' 'tools/*.h' |
        xargs grep -Hn '^[[:space:]]*#[[:space:]]*include' |
        awk -v levels="$levels" -v owners="$owners" -v what="$1" '
        BEGIN {
            n = split(levels, item, /[ \n]+/)
            for (i = 1; i <= n; i++) { split(item[i], kv, ":"); level[kv[1]] = kv[2] }
            n = split(owners, item, /[ \n]+/)
            for (i = 1; i <= n; i++) { split(item[i], kv, ":"); owner[kv[1]] = kv[2] }
        }
        {
            split($0, part, ":")
            file = part[1]
            split(file, path, "/")
            # mine: the folder under src or tools, "tools" for a main, "" for include/mae
            mine = path[1] == "src" || path[2] == "common" ? path[2] : path[1]
            if (mine in level) my = level[mine]
            else my = mine == "tools" ? 99 : -1
            where = file ":" part[2] ": "
            name = $0
            sub(/^[^"<]*["<]/, "", name)
            sub(/[">].*/, "", name)
            quoted = $0 ~ /include[ \t]*"/
            folder = name
            sub(/\/.*/, "", folder)
        }
        what == "folders" && mine == path[2] && path[1] == "src" && !(mine in level) {
            print where "folder src/" mine " has no level"
        }
        what == "layers" && quoted && name !~ /\// {
            print where "\"" name "\" lacks its folder"
        }
        what == "layers" && quoted && name ~ /\// && folder != "mae" {
            if (!(folder in level)) print where "unknown folder in \"" name "\""
            else if (folder != mine && level[folder] >= my)
                print where mine " may not include \"" name "\""
        }
        what == "owners" {
            base = name
            sub(/.*\//, "", base)
            if ((base in owner) && owner[base] != mine)
                print where "<" name "> belongs to " owner[base]
            else if (name ~ /^H5.*\.h$/ && mine != "store")
                print where "<" name "> belongs to store"
            else if (path[1] == "include" && (base in owner))
                print where "<" name "> in an installed header"
        }'
}

report 'every folder under src has a level' "$(check folders)"
report 'includes go down the layers' "$(check layers)"
report 'library headers are included by their owner only' "$(check owners)"
finish
