#include "train/gradients.h"

#include <string.h>

/* Does the place of a parameter in the gradients hold anything? */
static bool travels(const MaeParamEntry *entry)
{
    return !(entry->flags & MAE_PARAM_FIXED) || (entry->flags & MAE_PARAM_TRACKED);
}

static size_t first_element(const MaeParamTable *table)
{
    for (size_t p = 0; p < table->count; p++) {
        if (travels(&table->entries[p]))
            return table->entries[p].at.off;
    }
    return table->total;
}

size_t mae_gradients_elements(const MaeParamTable *table)
{
    return table->total - first_element(table);
}

void mae_gradients_begin(MaeGradients *g, const MaeParamTable *table, float *dw)
{
    if (g == NULL || mae_comm_world(g->comm) == 1)
        return;
    g->table = table;
    g->dw = dw;
    g->first = first_element(table);
    g->final = g->posted = table->total;
    g->status = MAE_OK;
    g->open = true;
}

/* Where the bucket that ends at @p end begins, if nothing before @p first is summed. */
static size_t bucket_start(const MaeComm *comm, size_t first, size_t end)
{
    const size_t size = mae_comm_bucket(comm);

    return end - first > size ? end - size : first;
}

static size_t next_bucket(const MaeGradients *g)
{
    return bucket_start(g->comm, g->first, g->posted);
}

static size_t count_buckets(const MaeComm *comm, size_t first, size_t end)
{
    size_t count = 0;

    for (; end > first; end = bucket_start(comm, first, end))
        count++;
    return count;
}

size_t mae_gradients_shards(const MaeComm *comm, const MaeParamTable *table,
                            MaeShard *shards)
{
    const size_t first = first_element(table);
    const size_t count = count_buckets(comm, first, table->total);
    size_t end = table->total;

    for (size_t i = count; shards != NULL && i-- > 0;) {
        const size_t start = bucket_start(comm, first, end);

        mae_comm_part(comm, end - start, &shards[i].off, &shards[i].count);
        shards[i].off += start;
        end = start;
    }
    return count;
}

MaeStatus mae_gradients_collect(MaeComm *comm, const MaeParamTable *table, float *x,
                                MaeError *err)
{
    const size_t first = first_element(table);
    size_t end = table->total;

    while (end > first) {
        const size_t start = bucket_start(comm, first, end);

        MAE_TRY(mae_comm_post_collect(comm, x + start, end - start, err));
        end = start;
    }
    return mae_comm_wait(comm, err);
}

/* @param wait for room. */
static MaeStatus post(MaeGradients *g, bool wait)
{
    while (g->posted > g->first && next_bucket(g) >= g->final &&
           (wait || mae_comm_room(g->comm) > 0)) {
        const size_t at = next_bucket(g);

        MAE_TRY((g->shards ? mae_comm_post_scatter : mae_comm_post)(
            g->comm, g->dw + at, g->posted - at, &g->err));
        g->posted = at;
    }
    return MAE_OK;
}

/* What was not final before has not been posted: what must not be added up goes. */
static void come_to(MaeGradients *g, size_t from)
{
    for (size_t p = 0; p < g->table->count && mae_comm_rank(g->comm) != 0; p++) {
        const MaeParam at = g->table->entries[p].at;

        if ((g->table->entries[p].flags & MAE_PARAM_TRACKED) && at.off >= from &&
            at.off < g->final)
            memset(g->dw + at.off, 0, at.count * sizeof *g->dw);
    }
    g->final = from;
}

void mae_gradients_poll(void *ctx)
{
    MaeGradients *g = ctx;

    if (!g->open || g->status != MAE_OK || g->final == g->table->total)
        return;
    g->status = mae_comm_poll(g->comm, &g->err);
    if (g->status == MAE_OK)
        g->status = post(g, false);
}

void mae_gradients_ready(void *ctx, size_t from)
{
    MaeGradients *g = ctx;

    if (!g->open || g->status != MAE_OK)
        return;
    come_to(g, from);
    mae_gradients_poll(g);
}

MaeStatus mae_gradients_end(MaeGradients *g, MaeError *err)
{
    if (g == NULL || !g->open)
        return MAE_OK;
    g->open = false;
    come_to(g, 0);
    if (g->status == MAE_OK)
        g->status = post(g, true);
    if (g->status == MAE_OK)
        g->status = mae_comm_wait(g->comm, &g->err);
    if (g->status != MAE_OK && err != NULL)
        *err = g->err;
    return g->status;
}
