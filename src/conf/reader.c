#include "conf/reader.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

typedef struct Reader {
    yaml_parser_t parser;
    const char *name; /* of the file; NULL: fixed is used instead of positions */
    const char *fixed;
    const char *text;
    size_t size;
    char place[MAE_YAML_WHERE]; /* last result of where() */
} Reader;

void mae_yaml_tail(char *out, size_t size, const char *text)
{
    const size_t n = strlen(text);

    if (n < size) {
        memcpy(out, text, n + 1);
        return;
    }
    text += n - (size - 4);
    while (((unsigned char)*text & 0xc0) == 0x80)
        text++;
    (void)snprintf(out, size, "...%s", text);
}

static const char *where(Reader *r, yaml_mark_t mark)
{
    char name[MAE_YAML_WHERE - 48];

    if (r->name == NULL)
        return r->fixed;
    mae_yaml_tail(name, sizeof name, r->name);
    (void)snprintf(r->place, sizeof r->place, "%s:%zu:%zu", name, mark.line + 1,
                   mark.column + 1);
    return r->place;
}

/* True if the line is indented with a tab, which libyaml reports in odd words. */
static bool tab_indents(const Reader *r, size_t line)
{
    const char *c = r->text, *end = r->text + r->size;

    for (; line > 0 && c < end; c++)
        line -= *c == '\n';
    while (c < end && *c == ' ')
        c++;
    return c < end && *c == '\t';
}

/* libyaml gives bad bytes by offset only. */
static yaml_mark_t mark_of(const Reader *r, size_t offset)
{
    yaml_mark_t mark = {.index = offset};

    for (size_t i = 0; i < offset && i < r->size; i++) {
        mark.column++;
        if (r->text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static MaeStatus bad_syntax(Reader *r, MaeError *err)
{
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory",
                 r->name == NULL ? r->fixed : r->name);
    if (p->error == YAML_READER_ERROR)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: not YAML text: %s",
                 where(r, mark_of(r, p->problem_offset)), p->problem);
    if (tab_indents(r, p->problem_mark.line))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: indented with a tab; use spaces",
                 where(r, p->problem_mark));
    MAE_FAIL(err, MAE_ERR_ARG, "%s: not valid YAML: %s", where(r, p->problem_mark),
             p->problem == NULL ? "unknown fault" : p->problem);
}

/* Name of a feature that a configuration has no use for, or NULL. */
static const char *refused(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return "aliases (*name)";
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor != NULL)
        return "anchors (&name)";
    return tag != NULL ? "tags (!name)" : NULL;
}

/* Next event; the caller deletes it. */
static MaeStatus next(Reader *r, yaml_event_t *event, MaeError *err)
{
    const char *feature;
    yaml_mark_t mark;

    if (!yaml_parser_parse(&r->parser, event))
        return bad_syntax(r, err);
    feature = refused(event);
    if (feature == NULL)
        return MAE_OK;
    mark = event->start_mark;
    yaml_event_delete(event);
    MAE_FAIL(err, MAE_ERR_ARG, "%s: YAML %s are not supported", where(r, mark), feature);
}

/* Append one entry to a value. */
static MaeStatus append(MaeYamlValue *value, const yaml_event_t *event, const char *at,
                        MaeError *err)
{
    const char *text = (const char *)event->data.scalar.value;
    const size_t n = event->data.scalar.length;

    if (memchr(text, '\0', n) != NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: a text may not contain NUL", at);
    if (value->count == MAE_CONFIG_LIST)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: list of more than %d entries", at,
                 MAE_CONFIG_LIST);
    if (n >= sizeof value->text - value->used)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: longer than %zu bytes", at,
                 sizeof value->text - 1);
    value->start[value->count++] = value->used;
    memcpy(value->text + value->used, text, n);
    value->used += n;
    value->text[value->used++] = '\0';
    return MAE_OK;
}

static const char *kind_name(yaml_event_type_t type)
{
    switch (type) {
    case YAML_SEQUENCE_START_EVENT:
        return "a list";
    case YAML_MAPPING_START_EVENT:
        return "a mapping";
    default:
        return "a text";
    }
}

static MaeStatus read_list(Reader *r, MaeYamlValue *value, MaeError *err)
{
    yaml_event_t event;
    MaeStatus status = MAE_OK;

    for (;;) {
        MAE_TRY(next(r, &event, err));
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return MAE_OK;
        }
        if (event.type == YAML_SCALAR_EVENT)
            status = append(value, &event, where(r, event.start_mark), err);
        else
            status = mae_error_set(err, MAE_ERR_ARG, __FILE__, __LINE__,
                                   "%s: expected a number in the list, found %s",
                                   where(r, event.start_mark), kind_name(event.type));
        yaml_event_delete(&event);
        MAE_TRY(status);
    }
}

/* The value that starts with @p event, which is deleted. */
static MaeStatus read_value(Reader *r, yaml_event_t *event, MaeYamlValue *value,
                            MaeError *err)
{
    MaeStatus status = MAE_OK;

    value->kind = MAE_YAML_MAPPING;
    value->plain = false;
    value->count = 0;
    value->used = 0;
    value->start[0] = 0;
    value->text[0] = '\0';
    if (event->type == YAML_SCALAR_EVENT) {
        value->kind = MAE_YAML_SCALAR;
        value->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        status = append(value, event, where(r, event->start_mark), err);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        value->kind = MAE_YAML_LIST;
        status = read_list(r, value, err);
    }
    yaml_event_delete(event);
    return status;
}

/* Copy a name; a longer one cannot be a key and is cut for the message. */
static MaeStatus read_name(Reader *r, const yaml_event_t *event, char *name, size_t size,
                           MaeError *err)
{
    if (event->type != YAML_SCALAR_EVENT)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected a name, found %s",
                 where(r, event->start_mark), kind_name(event->type));
    if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: a name may not contain NUL",
                 where(r, event->start_mark));
    (void)snprintf(name, size, "%s", (const char *)event->data.scalar.value);
    return MAE_OK;
}

/* Keys and values of one section, up to the end of its mapping. */
static MaeStatus read_keys(Reader *r, const MaeYamlSink *sink, MaeYamlValue *value,
                           MaeError *err)
{
    yaml_event_t event;
    yaml_mark_t mark;
    MaeStatus status;
    char name[80];

    for (;;) {
        MAE_TRY(next(r, &event, err));
        mark = event.start_mark;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return MAE_OK;
        }
        status = read_name(r, &event, name, sizeof name, err);
        yaml_event_delete(&event);
        MAE_TRY(status);
        MAE_TRY(sink->key(sink->ctx, name, where(r, mark), mark.line + 1, err));
        MAE_TRY(next(r, &event, err));
        mark = event.start_mark;
        MAE_TRY(read_value(r, &event, value, err));
        MAE_TRY(sink->value(sink->ctx, value, where(r, mark), err));
    }
}

static bool is_empty(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
           event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* What follows a section's name: keys, or nothing. */
static MaeStatus read_section(Reader *r, const char *name, const MaeYamlSink *sink,
                              MaeYamlValue *value, MaeError *err)
{
    yaml_event_t event;
    MaeStatus status = MAE_OK;
    bool keys;

    MAE_TRY(next(r, &event, err));
    keys = event.type == YAML_MAPPING_START_EVENT;
    if (!keys && !is_empty(&event))
        status = mae_error_set(err, MAE_ERR_ARG, __FILE__, __LINE__,
                               "%s: %s: expected keys of this section, found %s",
                               where(r, event.start_mark), name, kind_name(event.type));
    yaml_event_delete(&event);
    return status == MAE_OK && keys ? read_keys(r, sink, value, err) : status;
}

/* The root mapping, whose start was read. */
static MaeStatus read_sections(Reader *r, const MaeYamlSink *sink, MaeYamlValue *value,
                               MaeError *err)
{
    yaml_event_t event;
    yaml_mark_t mark;
    MaeStatus status;
    char name[80];

    for (;;) {
        MAE_TRY(next(r, &event, err));
        mark = event.start_mark;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return MAE_OK;
        }
        status = read_name(r, &event, name, sizeof name, err);
        yaml_event_delete(&event);
        MAE_TRY(status);
        MAE_TRY(sink->section(sink->ctx, name, where(r, mark), mark.line + 1, err));
        MAE_TRY(read_section(r, name, sink, value, err));
    }
}

/* Start of the stream and of its document. @param[out] empty no document at all. */
static MaeStatus read_start(Reader *r, bool *empty, MaeError *err)
{
    yaml_event_t event;

    MAE_TRY(next(r, &event, err)); /* stream start */
    yaml_event_delete(&event);
    MAE_TRY(next(r, &event, err));
    *empty = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    return MAE_OK;
}

/* End of the document and of the stream. */
static MaeStatus read_end(Reader *r, MaeError *err)
{
    yaml_event_t event;
    yaml_mark_t mark;
    yaml_event_type_t type;

    MAE_TRY(next(r, &event, err)); /* document end */
    yaml_event_delete(&event);
    MAE_TRY(next(r, &event, err));
    type = event.type;
    mark = event.start_mark;
    yaml_event_delete(&event);
    if (type != YAML_STREAM_END_EVENT)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: a second YAML document starts here; one expected",
                 where(r, mark));
    return MAE_OK;
}

/* True if a line starts at @p at, by the line breaks that libyaml knows. */
static bool starts_line(const Reader *r, size_t at)
{
    static const char *const BEFORE[] = {"\n", "\r", "\xc2\x85", "\xe2\x80\xa8",
                                         "\xe2\x80\xa9"};

    if (at == 0 || (at == 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0))
        return true;
    for (size_t i = 0; i < sizeof BEFORE / sizeof *BEFORE; i++) {
        const size_t n = strlen(BEFORE[i]);

        if (at >= n && memcmp(r->text + at - n, BEFORE[i], n) == 0)
            return true;
    }
    return false;
}

/* libyaml compares each %TAG with all before: quadratic time, and no use here. */
static MaeStatus refuse_directives(Reader *r, MaeError *err)
{
    for (size_t at = 0; at < r->size; at++) {
        if (r->text[at] == '%' && starts_line(r, at))
            MAE_FAIL(err, MAE_ERR_ARG, "%s: YAML directives (%%NAME) are not supported",
                     where(r, mark_of(r, at)));
    }
    return MAE_OK;
}

static MaeStatus open_reader(Reader *r, MaeError *err)
{
    if (r->size > MAE_CONFIG_MAX)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: larger than 1 MiB, not a configuration",
                 r->name == NULL ? r->fixed : r->name);
    MAE_TRY(refuse_directives(r, err));
    if (!yaml_parser_initialize(&r->parser))
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory",
                 r->name == NULL ? r->fixed : r->name);
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text, r->size);
    return MAE_OK;
}

static MaeStatus read_document(Reader *r, const MaeYamlSink *sink, MaeError *err)
{
    MaeYamlValue value;
    yaml_event_t event;
    MaeStatus status = MAE_OK;
    bool empty, mapping;

    MAE_TRY(read_start(r, &empty, err));
    if (empty)
        return MAE_OK;
    MAE_TRY(next(r, &event, err));
    mapping = event.type == YAML_MAPPING_START_EVENT;
    if (!mapping && !is_empty(&event))
        status = mae_error_set(err, MAE_ERR_ARG, __FILE__, __LINE__,
                               "%s: expected sections such as \"model:\", found %s",
                               where(r, event.start_mark), kind_name(event.type));
    yaml_event_delete(&event);
    MAE_TRY(status);
    if (mapping)
        MAE_TRY(read_sections(r, sink, &value, err));
    return read_end(r, err);
}

MaeStatus mae_yaml_read(const char *name, const char *text, size_t size,
                        const MaeYamlSink *sink, MaeError *err)
{
    Reader r = {.name = name, .fixed = "", .text = text, .size = size};
    MaeStatus status;

    MAE_TRY(open_reader(&r, err));
    status = read_document(&r, sink, err);
    yaml_parser_delete(&r.parser);
    return status;
}

static MaeStatus read_single(Reader *r, MaeYamlValue *value, MaeError *err)
{
    yaml_event_t event;
    bool empty;

    MAE_TRY(read_start(r, &empty, err));
    if (empty)
        return mae_yaml_literal(value, "", r->fixed, err);
    MAE_TRY(next(r, &event, err));
    MAE_TRY(read_value(r, &event, value, err));
    return value->kind == MAE_YAML_MAPPING ? MAE_OK : read_end(r, err);
}

MaeStatus mae_yaml_value(MaeYamlValue *value, const char *text, const char *where_text,
                         MaeError *err)
{
    Reader r = {.fixed = where_text, .text = text, .size = strlen(text)};
    MaeStatus status;

    MAE_TRY(open_reader(&r, err));
    status = read_single(&r, value, err);
    yaml_parser_delete(&r.parser);
    return status;
}

MaeStatus mae_yaml_literal(MaeYamlValue *value, const char *text, const char *where_text,
                           MaeError *err)
{
    const size_t n = strlen(text);

    if (n >= sizeof value->text)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: longer than %zu bytes", where_text,
                 sizeof value->text - 1);
    *value = (MaeYamlValue){.kind = MAE_YAML_SCALAR, .count = 1, .used = n + 1};
    memcpy(value->text, text, n + 1);
    return MAE_OK;
}
