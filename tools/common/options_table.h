/**
 * @file options_table.h
 * The options that every tool has, shared by the parser and the help; private to them.
 */
#ifndef MAE_TOOLS_COMMON_OPTIONS_TABLE_H
#define MAE_TOOLS_COMMON_OPTIONS_TABLE_H

#include "common/options.h"

/** Offsets refer to MaeArgs; ends with a row whose name is NULL. */
extern const MaeOption mae_options_common[];

#endif /* MAE_TOOLS_COMMON_OPTIONS_TABLE_H */
