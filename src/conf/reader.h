/**
 * @file reader.h
 * YAML of two levels as events: sections of keys with scalar or list values.
 *
 * Only user of libyaml. The event parser never recurses; anything deeper than a list
 * inside a section is refused where it starts, as are aliases, anchors, tags and further
 * documents.
 *
 * Memory   Values live during the callback only.
 * Errors   ARG "<name>:<line>:<column>: ...", NOMEM.
 * Threads  Reentrant.
 */
#ifndef MAE_CONF_READER_H
#define MAE_CONF_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "conf/config.h"

/** Bytes of "<name>:<line>:<column>", the name shortened from the left. */
#define MAE_YAML_WHERE 200

typedef enum MaeYamlKind { MAE_YAML_SCALAR, MAE_YAML_LIST, MAE_YAML_MAPPING } MaeYamlKind;

/** One value; entries are NUL-terminated texts at text + start[i]. */
typedef struct MaeYamlValue {
    MaeYamlKind kind;
    bool plain;   /* scalar without quotes */
    size_t count; /* entries: 1 for a scalar, 0 for a mapping */
    size_t start[MAE_CONFIG_LIST];
    size_t used; /* bytes of text */
    char text[MAE_CONFIG_PATH];
} MaeYamlValue;

/** Receives what is read, in order; a status other than MAE_OK ends the reading. */
typedef struct MaeYamlSink {
    void *ctx;
    MaeStatus (*section)(void *ctx, const char *name, const char *where, size_t line,
                         MaeError *err);
    MaeStatus (*key)(void *ctx, const char *name, const char *where, size_t line,
                     MaeError *err);
    /** Must refuse MAE_YAML_MAPPING. */
    MaeStatus (*value)(void *ctx, const MaeYamlValue *value, const char *where,
                       MaeError *err);
} MaeYamlSink;

/** Read a whole text. @param name stands for the file in messages. */
MaeStatus mae_yaml_read(const char *name, const char *text, size_t size,
                        const MaeYamlSink *sink, MaeError *err);

/** Read one value, e.g. "[0.9, 0.95]". @param where starts messages. */
MaeStatus mae_yaml_value(MaeYamlValue *value, const char *text, const char *where,
                         MaeError *err);

/** A scalar as it stands, without YAML. ARG if it is too long. */
MaeStatus mae_yaml_literal(MaeYamlValue *value, const char *text, const char *where,
                           MaeError *err);

/** Copy @p text, its start cut to fit @p size (at least 8), never inside a character. */
void mae_yaml_tail(char *out, size_t size, const char *text);

#endif /* MAE_CONF_READER_H */
