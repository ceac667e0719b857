/*
 * oneDNN 2.x: a primitive per shape, kept in a table that readers walk without a lock.
 * Entries are never changed once published, and removed only while nobody multiplies.
 * Threads share primitives and held matrices, which lie in the order the primitive reads
 * them; memory objects and scratch are each thread's own. The library's OpenMP is told to
 * use one thread wherever it is entered: our pool is the only owner of threads.
 */
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "kernel/gemm_driver.h"

#define ROOM ((size_t)16 << 20) /* for making a primitive; oneDNN crashes without */
#define BUCKETS 256

/* Arguments of a product, in this order; absent ones are left out at the end. */
enum { ARG_A, ARG_B, ARG_C, ARG_SCRATCH, ARG_BIAS, ARG_RES, ARGS };

typedef struct Entry Entry;

struct Entry {
    Entry *next;
    MaeGemmShape shape;
    dnnl_primitive_t primitive;
    size_t scratch; /* bytes */
    void *packed;   /* the shape's constant in the primitive's order; NULL: as it is */
    dnnl_memory_desc_t desc[ARGS];
    dnnl_memory_t memory[]; /* [threads,ARGS] */
};

typedef struct Thread {
    _Alignas(MAE_ALIGN) dnnl_stream_t stream;
    void *scratch;
    size_t bytes;
} Thread;

typedef struct State {
    dnnl_engine_t engine;
    pthread_mutex_t lock; /* of changes to the table */
    _Atomic(Entry *) buckets[BUCKETS];
    atomic_size_t count, scratch; /* shapes; the largest scratch of any */
    size_t threads;
    Thread *each; /* [threads] */
} State;

static bool have(int isa)
{
    return ((int)dnnl_get_effective_cpu_isa() & isa) == isa;
}

static int rank(MaeDtype operand)
{
    if (operand == MAE_F32)
        return have(dnnl_cpu_isa_avx512_core) ? 2 : 0;
    return have(dnnl_cpu_isa_avx512_core_amx)    ? 3
           : have(dnnl_cpu_isa_avx512_core_bf16) ? 1
                                                 : 0;
}

/* --- the table -------------------------------------------------------------------- */

static size_t bucket_of(const MaeGemmShape *shape)
{
    const unsigned char *bytes = (const unsigned char *)shape;
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < sizeof *shape; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return (hash ^ hash >> 16) % BUCKETS;
}

static Entry *find(State *state, const MaeGemmShape *shape, size_t bucket)
{
    Entry *entry = atomic_load_explicit(&state->buckets[bucket], memory_order_acquire);

    while (entry != NULL && memcmp(&entry->shape, shape, sizeof *shape) != 0)
        entry = entry->next;
    return entry;
}

/* oneDNN does not write to A, B, bias and res, but has one type for all memory. */
static void *writable(const void *data)
{
    return (void *)(uintptr_t)data;
}

/* --- making a primitive ----------------------------------------------------------- */

static dnnl_data_type_t type_of(uint32_t type)
{
    return type == MAE_BF16 ? dnnl_bf16 : dnnl_f32;
}

/*
 * A matrix, or as many as the shape's batches have, from @p step on to the next. Batches
 * of one are no dimension: their step of 0 would cost us the fast implementations.
 */
static bool describe_matrix(dnnl_memory_desc_t *desc, const MaeGemmShape *s, size_t rows,
                            size_t columns, dnnl_data_type_t type, size_t row_step,
                            size_t column_step, const size_t step[2])
{
    dnnl_dims_t dims, steps;
    int n = 0;

    for (size_t i = 0; i < 2; i++) {
        if (s->batch[i].count > 1) {
            dims[n] = (dnnl_dim_t)s->batch[i].count;
            steps[n++] = (dnnl_dim_t)step[i];
        }
    }
    dims[n] = (dnnl_dim_t)rows;
    steps[n++] = (dnnl_dim_t)row_step;
    dims[n] = (dnnl_dim_t)columns;
    steps[n++] = (dnnl_dim_t)column_step;
    return dnnl_memory_desc_init_by_strides(desc, n, dims, type, steps) == dnnl_success;
}

static bool describe_matrices(Entry *entry)
{
    const MaeGemmShape *s = &entry->shape;
    const MaeGemmBatch *o = &s->batch[0], *i = &s->batch[1];
    const size_t a[] = {o->a, i->a}, b[] = {o->b, i->b}, c[] = {o->c, i->c};
    const bool turn_a = s->form == MAE_GEMM_TN, turn_b = s->form == MAE_GEMM_NT;
    const dnnl_data_type_t operand = type_of(s->operand);

    return describe_matrix(&entry->desc[ARG_A], s, s->m, s->k, operand,
                           turn_a ? 1 : s->lda, turn_a ? s->lda : 1, a) &&
           describe_matrix(&entry->desc[ARG_B], s, s->k, s->n, operand,
                           turn_b ? 1 : s->ldb, turn_b ? s->ldb : 1, b) &&
           describe_matrix(&entry->desc[ARG_C], s, s->m, s->n, type_of(s->out), s->ldc, 1,
                           c) &&
           describe_matrix(&entry->desc[ARG_BIAS], s, 1, s->n, dnnl_f32, s->n, 1, c) &&
           describe_matrix(&entry->desc[ARG_RES], s, s->m, s->n, dnnl_f32, s->ldc, 1, c);
}

/* What happens to the sums on their way to C, and that scratch is ours to bring. */
static bool make_attributes(dnnl_primitive_attr_t *attr, const Entry *entry)
{
    dnnl_post_ops_t ops = NULL;
    bool ok = dnnl_primitive_attr_create(attr) == dnnl_success &&
              dnnl_post_ops_create(&ops) == dnnl_success &&
              dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user) ==
                  dnnl_success;

    if (ok && entry->shape.res == 1)
        ok = dnnl_post_ops_append_binary(ops, dnnl_binary_add, &entry->desc[ARG_RES]) ==
             dnnl_success;
    if (ok && entry->shape.res == 2)
        ok = dnnl_post_ops_append_sum(ops, 1.0f) == dnnl_success;
    ok = ok && dnnl_primitive_attr_set_post_ops(*attr, ops) == dnnl_success;
    dnnl_post_ops_destroy(ops);
    return ok;
}

/* Copy the constant matrix, which lies as @p plain says, to the order of desc[ARG_B]. */
static bool pack(Entry *entry, State *state, const dnnl_memory_desc_t *plain)
{
    const dnnl_memory_desc_t *wanted = &entry->desc[ARG_B];
    const size_t bytes = dnnl_memory_desc_get_size(wanted) + MAE_ALIGN - 1;
    dnnl_primitive_desc_t made = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t from = NULL, to = NULL;
    bool ok;

    if (dnnl_memory_desc_equal(wanted, plain))
        return true;
    entry->packed = aligned_alloc(MAE_ALIGN, bytes / MAE_ALIGN * MAE_ALIGN);
    ok = entry->packed != NULL &&
         dnnl_reorder_primitive_desc_create(&made, plain, state->engine, wanted,
                                            state->engine, NULL) == dnnl_success &&
         dnnl_primitive_create(&reorder, made) == dnnl_success &&
         dnnl_memory_create(&from, plain, state->engine,
                            writable(entry->shape.constant)) == dnnl_success &&
         dnnl_memory_create(&to, wanted, state->engine, entry->packed) == dnnl_success;
    if (ok) {
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};

        ok = dnnl_primitive_execute(reorder, state->each[0].stream, 2, args) ==
             dnnl_success;
    }
    dnnl_memory_destroy(to);
    dnnl_memory_destroy(from);
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(made);
    return ok;
}

static bool make_primitive(Entry *entry, State *state)
{
    const dnnl_memory_desc_t *b = &entry->desc[ARG_B];
    const dnnl_memory_desc_t *bias =
        entry->shape.has_bias ? &entry->desc[ARG_BIAS] : NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t made = NULL;
    dnnl_matmul_desc_t product;
    dnnl_memory_desc_t any;
    bool ok = describe_matrices(entry) && make_attributes(&attr, entry);

    if (ok && entry->shape.constant != NULL) {
        ok = dnnl_memory_desc_init_by_tag(&any, b->ndims, b->dims, b->data_type,
                                          dnnl_format_tag_any) == dnnl_success;
        b = &any;
    }
    ok = ok &&
         dnnl_matmul_desc_init(&product, &entry->desc[ARG_A], b, bias,
                               &entry->desc[ARG_C]) == dnnl_success &&
         dnnl_primitive_desc_create(&made, &product, attr, state->engine, NULL) ==
             dnnl_success &&
         dnnl_primitive_create(&entry->primitive, made) == dnnl_success;

    if (ok) {
        entry->desc[ARG_SCRATCH] =
            *dnnl_primitive_desc_query_md(made, dnnl_query_scratchpad_md, 0);
        entry->scratch = dnnl_memory_desc_get_size(&entry->desc[ARG_SCRATCH]);
    }
    if (ok && entry->shape.constant != NULL) {
        const dnnl_memory_desc_t plain = entry->desc[ARG_B];

        entry->desc[ARG_B] =
            *dnnl_primitive_desc_query_md(made, dnnl_query_weights_md, 0);
        ok = pack(entry, state, &plain);
    }
    dnnl_primitive_desc_destroy(made);
    dnnl_primitive_attr_destroy(attr);
    return ok;
}

static bool make_memory(Entry *entry, State *state)
{
    for (size_t i = 0; i < state->threads * ARGS; i++) {
        if (dnnl_memory_create(&entry->memory[i], &entry->desc[i % ARGS], state->engine,
                               DNNL_MEMORY_NONE) != dnnl_success)
            return false;
    }
    return true;
}

static void destroy(Entry *entry, size_t threads)
{
    for (size_t i = 0; i < threads * ARGS; i++)
        dnnl_memory_destroy(entry->memory[i]);
    dnnl_primitive_destroy(entry->primitive);
    free(entry->packed);
    free(entry);
}

static Entry *make(State *state, const MaeGemmShape *shape)
{
    Entry *entry =
        calloc(1, sizeof *entry + state->threads * ARGS * sizeof *entry->memory);

    if (entry == NULL)
        return NULL;
    entry->shape = *shape;
    omp_set_num_threads(1);
    if (mae_pages_fit(ROOM) && make_primitive(entry, state) && make_memory(entry, state))
        return entry;
    destroy(entry, state->threads);
    return NULL;
}

/* The entry of a shape, made if nobody did; NULL if it cannot be. */
static Entry *obtain(State *state, const MaeGemmShape *shape)
{
    const size_t bucket = bucket_of(shape);
    Entry *entry = find(state, shape, bucket);

    if (entry != NULL)
        return entry;
    (void)pthread_mutex_lock(&state->lock);
    entry = find(state, shape, bucket);
    if (entry == NULL && (entry = make(state, shape)) != NULL) {
        entry->next = state->buckets[bucket];
        if (entry->scratch > state->scratch)
            state->scratch = entry->scratch;
        state->count++;
        atomic_store_explicit(&state->buckets[bucket], entry, memory_order_release);
    }
    (void)pthread_mutex_unlock(&state->lock);
    return entry;
}

/* --- the driver ------------------------------------------------------------------- */

static bool grow(Thread *thread, size_t bytes)
{
    void *memory;

    if (bytes <= thread->bytes)
        return true;
    bytes = (bytes + MAE_ALIGN - 1) / MAE_ALIGN * MAE_ALIGN;
    memory = aligned_alloc(MAE_ALIGN, bytes);
    if (memory == NULL)
        return false;
    free(thread->scratch);
    thread->scratch = memory;
    thread->bytes = bytes;
    return true;
}

static bool prepare(void *self, const MaeGemmShape *shape)
{
    return obtain(self, shape) != NULL;
}

static bool prepared(void *self)
{
    State *state = self;

    for (size_t i = 0; i < state->threads; i++) {
        if (!grow(&state->each[i], state->scratch))
            return false;
    }
    return true;
}

static size_t shapes(const void *self)
{
    return ((const State *)self)->count;
}

static bool run(void *self, size_t index, const MaeGemmShape *shape,
                const MaeGemmData *data)
{
    static const int names[ARGS] = {
        DNNL_ARG_SRC,  DNNL_ARG_WEIGHTS,
        DNNL_ARG_DST,  DNNL_ARG_SCRATCHPAD,
        DNNL_ARG_BIAS, DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1};
    State *state = self;
    Thread *thread = &state->each[index];
    Entry *entry = obtain(state, shape);
    dnnl_exec_arg_t args[ARGS];
    int count = 0;

    if (entry == NULL || !grow(thread, entry->scratch))
        return false;
    const void *const b = entry->packed != NULL ? entry->packed : data->b;
    const void *const at[ARGS] = {data->a,         b,          data->c,
                                  thread->scratch, data->bias, data->res};
    for (int i = 0; i < ARGS; i++) {
        dnnl_memory_t memory = entry->memory[index * ARGS + (size_t)i];

        if ((i == ARG_BIAS && !shape->has_bias) || (i == ARG_RES && shape->res != 1))
            continue;
        if (dnnl_memory_set_data_handle(memory, writable(at[i])) != dnnl_success)
            return false;
        args[count++] = (dnnl_exec_arg_t){names[i], memory};
    }
    omp_set_num_threads(1);
    return dnnl_primitive_execute(entry->primitive, thread->stream, count, args) ==
           dnnl_success;
}

static void release(void *self, const void *data, size_t bytes)
{
    State *state = self;
    const char *first = data;

    for (size_t b = 0; b < BUCKETS; b++) {
        Entry *entry = state->buckets[b], *kept = NULL;

        while (entry != NULL) {
            const char *constant = entry->shape.constant;
            Entry *next = entry->next;

            if (constant != NULL && constant >= first && constant < first + bytes) {
                destroy(entry, state->threads);
                state->count--;
            } else {
                entry->next = kept;
                kept = entry;
            }
            entry = next;
        }
        state->buckets[b] = kept;
    }
}

static void dnn_close(void *self)
{
    State *state = self;

    if (state == NULL)
        return;
    for (size_t b = 0; b < BUCKETS; b++) {
        Entry *entry = state->buckets[b];

        while (entry != NULL) {
            Entry *next = entry->next;

            destroy(entry, state->threads);
            entry = next;
        }
    }
    for (size_t i = 0; state->each != NULL && i < state->threads; i++) {
        dnnl_stream_destroy(state->each[i].stream);
        free(state->each[i].scratch);
    }
    free(state->each);
    dnnl_engine_destroy(state->engine);
    (void)pthread_mutex_destroy(&state->lock);
    free(state);
}

static bool open_threads(State *state, size_t threads)
{
    state->each = aligned_alloc(MAE_ALIGN, threads * sizeof *state->each);
    if (state->each == NULL)
        return false;
    memset(state->each, 0, threads * sizeof *state->each);
    state->threads = threads;
    for (size_t i = 0; i < threads; i++) {
        if (dnnl_stream_create(&state->each[i].stream, state->engine,
                               dnnl_stream_default_flags) != dnnl_success)
            return false;
    }
    return true;
}

static const char *isa_name(void)
{
    return have(dnnl_cpu_isa_avx512_core_amx)    ? "amx"
           : have(dnnl_cpu_isa_avx512_core_bf16) ? "avx512_bf16"
           : have(dnnl_cpu_isa_avx512_core)      ? "avx512"
           : have(dnnl_cpu_isa_avx2)             ? "avx2"
                                                 : "sse41";
}

static MaeStatus dnn_open(void **self, char *text, size_t size, size_t threads,
                          MaeError *err)
{
    const dnnl_version_t *version = dnnl_version();
    State *state = calloc(1, sizeof *state);

    *self = NULL;
    if (state == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "oneDNN: out of memory for %zu bytes",
                 sizeof *state);
    (void)pthread_mutex_init(&state->lock, NULL);
    omp_set_num_threads(1);
    if (dnnl_engine_create(&state->engine, dnnl_cpu, 0) != dnnl_success ||
        !open_threads(state, threads)) {
        dnn_close(state);
        MAE_FAIL(err, MAE_ERR_NOMEM, "oneDNN: out of memory for %zu threads", threads);
    }
    (void)snprintf(text, size, "%d.%d.%d %s", version->major, version->minor,
                   version->patch, isa_name());
    *self = state;
    return MAE_OK;
}

const MaeGemmDriver mae_gemm_onednn = {
    .name = "oneDNN",
    .rank = rank,
    .open = dnn_open,
    .close = dnn_close,
    .run = run,
    .prepare = prepare,
    .prepared = prepared,
    .shapes = shapes,
    .release = release,
};
