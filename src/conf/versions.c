#include "conf/versions.h"

#include <stdio.h>
#include <yaml.h>

void mae_conf_versions(char *text, size_t size)
{
    (void)snprintf(text, size, "libyaml %s", yaml_get_version_string());
}
