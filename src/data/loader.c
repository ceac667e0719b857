#include "data/loader.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "data/fetch.h"

#define DEFAULT_PREFETCH 2
#define MAX_GRAIN 16 /* positions a worker takes at once, at most */
#define LOGGED 20    /* bad images named in the log */

typedef enum SlotState { SLOT_FREE, SLOT_FILLING, SLOT_HELD } SlotState;

/* A batch and the work left on it. */
typedef struct Slot {
    MaeBatch batch;
    MaeFetched *fetched; /* [local batch] */
    SlotState state;
    size_t planned; /* positions */
    size_t taken;   /* of them given to workers */
    size_t done;
} Slot;

typedef struct Worker {
    MaeLoader *loader;
    pthread_t thread;
    MaeFetcher fetcher;
} Worker;

struct MaeLoader {
    MaeFetch fetch;
    MaeSampler sampler;
    MaeBadList bad;
    double max_bad_fraction, waited;
    size_t held; /* batches handed out and not released; the consumer's */
    const MaeLog *log;
    Slot *slots; /* [slot_count]; batch number n lives in slot n % slot_count */
    size_t slot_count;
    size_t image_size; /* floats */
    size_t grain;
    Worker *workers; /* [worker_count]; the first is the consumer's when threads is 0 */
    size_t worker_count, threads;

    /* Numbers of batches, counted since the last seek: given <= taking <= made. */
    pthread_mutex_t lock; /* guards what follows, the slots' counters and the sampler */
    pthread_cond_t work;  /* there may be positions to take */
    pthread_cond_t ready; /* a batch is complete, or no worker is busy */
    uint64_t made;        /* planned */
    uint64_t taking;      /* the first with positions left to take */
    uint64_t given;       /* handed out */
    uint32_t epoch;       /* of the next batch to plan */
    size_t index;
    size_t busy; /* workers at work */
    bool paused, stop;
};

static Slot *slot_of(MaeLoader *loader, uint64_t number)
{
    return &loader->slots[number % loader->slot_count];
}

/* Nothing is left to plan: an evaluation has run through. */
static bool at_end(const MaeLoader *loader)
{
    return loader->index == mae_sampler_batches(&loader->sampler);
}

/* Set up the next batch in its slot, if that is free. Lock held. */
static bool plan(MaeLoader *loader)
{
    Slot *slot = slot_of(loader, loader->made);
    const size_t *samples;

    if (loader->paused || at_end(loader) || slot->state != SLOT_FREE)
        return false;
    slot->planned =
        mae_sampler_select(&loader->sampler, loader->epoch, loader->index, &samples);
    for (size_t i = 0; i < slot->planned; i++)
        slot->fetched[i].wanted = samples[i];
    slot->batch.size = slot->planned;
    slot->batch.epoch = loader->epoch;
    slot->batch.index = loader->index;
    slot->taken = slot->done = 0;
    slot->state = SLOT_FILLING;
    loader->made++;
    loader->index++;
    if (at_end(loader) && loader->sampler.opt.training) {
        loader->index = 0;
        loader->epoch++;
    }
    if (slot->planned == 0)
        pthread_cond_broadcast(&loader->ready);
    return true;
}

/* Take up to grain positions of the earliest batch that has some. Lock held. */
static Slot *take(MaeLoader *loader, size_t *first, size_t *count)
{
    for (;; loader->taking++) {
        Slot *slot = slot_of(loader, loader->taking);

        if (loader->paused || (loader->taking == loader->made && !plan(loader)))
            return NULL;
        if (slot->taken < slot->planned) {
            const size_t left = slot->planned - slot->taken;

            *first = slot->taken;
            *count = left < loader->grain ? left : loader->grain;
            slot->taken += *count;
            return slot;
        }
    }
}

static void fetch_position(MaeLoader *loader, MaeFetcher *fetcher, Slot *slot, size_t i)
{
    MaeFetched *fetched = &slot->fetched[i];

    mae_fetch(&loader->fetch, fetcher, fetched,
              slot->batch.images + i * loader->image_size, slot->batch.epoch);
    slot->batch.samples[i] = fetched->sample;
    slot->batch.labels[i] = mae_dataset_label(loader->fetch.ds, fetched->sample);
}

static void *worker_main(void *arg)
{
    Worker *worker = arg;
    MaeLoader *loader = worker->loader;

    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        size_t first, count;
        Slot *slot = take(loader, &first, &count);

        if (slot == NULL) {
            pthread_cond_wait(&loader->work, &loader->lock);
            continue;
        }
        loader->busy++;
        pthread_mutex_unlock(&loader->lock);
        for (size_t i = first; i < first + count; i++)
            fetch_position(loader, &worker->fetcher, slot, i);
        pthread_mutex_lock(&loader->lock);
        loader->busy--;
        slot->done += count;
        if (slot->done == slot->planned || loader->busy == 0)
            pthread_cond_broadcast(&loader->ready);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* Signals are for the program's own threads: nothing here expects EINTR. */
static MaeStatus start_threads(MaeLoader *loader, size_t threads, MaeError *err)
{
    sigset_t all, old;
    int rc = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (rc == 0 && loader->threads < threads) {
        Worker *worker = &loader->workers[loader->threads];

        rc = pthread_create(&worker->thread, NULL, worker_main, worker);
        loader->threads += rc == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        MAE_FAIL(err, MAE_ERR_IO, "loader: cannot start %zu worker threads: %s", threads,
                 strerror(rc));
    return MAE_OK;
}

/* Aligned to 64 bytes; NULL when out of memory or on overflow. */
static float *alloc_images(size_t count, size_t image_size)
{
    if (image_size > SIZE_MAX / 8 / sizeof(float) / count)
        return NULL;
    return aligned_alloc(64, (count * image_size * sizeof(float) + 63) / 64 * 64);
}

static bool open_slot(Slot *slot, size_t batch, size_t image_size)
{
    return (slot->batch.images = alloc_images(batch, image_size)) != NULL &&
           (slot->batch.labels = calloc(batch, sizeof *slot->batch.labels)) != NULL &&
           (slot->batch.samples = calloc(batch, sizeof *slot->batch.samples)) != NULL &&
           (slot->fetched = calloc(batch, sizeof *slot->fetched)) != NULL;
}

static MaeStatus open_slots(MaeLoader *loader, MaeError *err)
{
    const size_t batch = mae_sampler_local(&loader->sampler);
    bool opened;

    loader->slots = calloc(loader->slot_count, sizeof *loader->slots);
    opened = loader->slots != NULL;
    for (size_t i = 0; opened && i < loader->slot_count; i++)
        opened = open_slot(&loader->slots[i], batch, loader->image_size);
    if (!opened)
        MAE_FAIL(err, MAE_ERR_NOMEM,
                 "loader: out of memory for %zu batches of %zu images of %zu floats",
                 loader->slot_count, batch, loader->image_size);
    return MAE_OK;
}

static MaeStatus open_workers(MaeLoader *loader, size_t workers, MaeError *err)
{
    const size_t batch = mae_sampler_local(&loader->sampler);

    loader->grain = batch / (8 * (workers + 1));
    loader->grain = loader->grain < 1           ? 1
                    : loader->grain > MAX_GRAIN ? MAX_GRAIN
                                                : loader->grain;
    loader->worker_count = workers == 0 ? 1 : workers;
    loader->workers = calloc(loader->worker_count, sizeof *loader->workers);
    if (loader->workers == NULL) {
        loader->worker_count = 0;
        MAE_FAIL(err, MAE_ERR_NOMEM, "loader: out of memory for %zu workers", workers);
    }
    for (size_t i = 0; i < loader->worker_count; i++)
        loader->workers[i].loader = loader;
    return start_threads(loader, workers, err);
}

static MaeStatus check(const MaeDataset *ds, const MaeTransform *transform,
                       const MaeLoaderOptions *opt, MaeError *err)
{
    MAE_TRY(mae_transform_check(transform, err));
    if (transform->channels != mae_dataset_info(ds)->channels)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "loader: transform of %zu channels, dataset delivers %zu",
                 transform->channels, mae_dataset_info(ds)->channels);
    if (!(opt->max_bad_fraction >= 0.0 && opt->max_bad_fraction <= 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "loader: max_bad_fraction %g, expected 0 to 1",
                 opt->max_bad_fraction);
    if (opt->workers > 1024 || opt->prefetch > 1024)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "loader: %zu workers, %zu batches ahead, expected at most 1024",
                 opt->workers, opt->prefetch);
    for (size_t i = 0; i < opt->sampler.count; i++) {
        const size_t sample = opt->sampler.indices == NULL ? i : opt->sampler.indices[i];

        if (sample >= mae_dataset_info(ds)->count)
            MAE_FAIL(err, MAE_ERR_ARG, "loader: sample %zu of a dataset of %zu", sample,
                     mae_dataset_info(ds)->count);
    }
    return MAE_OK;
}

static MaeStatus open_parts(MaeLoader *loader, const MaeLoaderOptions *opt, MaeError *err)
{
    MAE_TRY(mae_sampler_open(&loader->sampler, &opt->sampler, err));
    MAE_TRY(
        mae_badlist_open(&loader->bad, mae_dataset_info(loader->fetch.ds)->count, err));
    MAE_TRY(open_slots(loader, err));
    return open_workers(loader, opt->workers, err);
}

MaeStatus mae_loader_open(MaeLoader **out, const MaeDataset *ds,
                          const MaeTransform *transform, const MaeLoaderOptions *opt,
                          MaeError *err)
{
    const size_t prefetch = opt->prefetch == 0 ? DEFAULT_PREFETCH : opt->prefetch;
    MaeLoader *loader;
    MaeStatus status;

    MAE_TRY(check(ds, transform, opt, err));
    loader = calloc(1, sizeof *loader);
    if (loader == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "loader: out of memory");
    loader->fetch = (MaeFetch){ds, transform, &loader->sampler, opt->cache};
    loader->max_bad_fraction = opt->max_bad_fraction;
    loader->log = opt->log;
    loader->slot_count = opt->workers == 0 ? 1 : prefetch + 1;
    loader->image_size = transform->channels * transform->out_h * transform->out_w;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->ready, NULL);
    status = open_parts(loader, opt, err);
    if (status == MAE_OK)
        *out = loader;
    else
        mae_loader_close(loader);
    return status;
}

void mae_loader_close(MaeLoader *loader)
{
    if (loader == NULL)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (size_t i = 0; i < loader->threads; i++)
        pthread_join(loader->workers[i].thread, NULL);
    pthread_cond_destroy(&loader->ready);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->lock);
    for (size_t i = 0; i < loader->worker_count; i++)
        mae_fetcher_done(&loader->workers[i].fetcher);
    for (size_t i = 0; loader->slots != NULL && i < loader->slot_count; i++) {
        free(loader->slots[i].batch.images);
        free(loader->slots[i].batch.labels);
        free(loader->slots[i].batch.samples);
        free(loader->slots[i].fetched);
    }
    free(loader->slots);
    free(loader->workers);
    mae_badlist_close(&loader->bad);
    mae_sampler_close(&loader->sampler);
    free(loader);
}

size_t mae_loader_bytes(const MaeLoader *loader)
{
    return loader->slot_count * mae_sampler_local(&loader->sampler) * loader->image_size *
           sizeof(float);
}

size_t mae_loader_batches(const MaeLoader *loader)
{
    return mae_sampler_batches(&loader->sampler);
}

/* Book the bad samples of a finished batch, in its order. */
static void book_bad(MaeLoader *loader, const Slot *slot)
{
    for (size_t i = 0; i < slot->planned; i++) {
        const MaeFetched *fetched = &slot->fetched[i];
        char name[256];

        if (fetched->status == MAE_OK)
            continue;
        mae_dataset_name(loader->fetch.ds, fetched->wanted, name, sizeof name);
        if (mae_badlist_add(&loader->bad, fetched->wanted, fetched->status, name,
                            fetched->reason) &&
            loader->bad.count <= LOGGED)
            mae_log(loader->log, MAE_LOG_WARN, "bad image left out: %s: %s", name,
                    fetched->reason);
    }
}

/* Close the gaps that bad samples leave in an evaluation. */
static void compact(MaeLoader *loader, Slot *slot)
{
    MaeBatch *batch = &slot->batch;
    const size_t size = loader->image_size;
    size_t kept = 0;

    for (size_t i = 0; i < slot->planned; i++) {
        if (slot->fetched[i].status != MAE_OK)
            continue;
        if (kept < i) {
            memcpy(batch->images + kept * size, batch->images + i * size,
                   size * sizeof *batch->images);
            batch->labels[kept] = batch->labels[i];
            batch->samples[kept] = batch->samples[i];
        }
        kept++;
    }
    batch->size = kept;
}

static MaeStatus settle(MaeLoader *loader, Slot *slot, MaeError *err)
{
    book_bad(loader, slot);
    MAE_TRY(mae_badlist_check(&loader->bad, loader->sampler.opt.count,
                              loader->max_bad_fraction, err));
    for (size_t i = 0; i < slot->planned; i++) {
        const MaeFetched *fetched = &slot->fetched[i];
        char name[256];

        if (fetched->fatal == MAE_OK)
            continue;
        mae_dataset_name(loader->fetch.ds, fetched->wanted, name, sizeof name);
        MAE_FAIL(err, fetched->fatal, "%s: %s%s", name, fetched->reason,
                 fetched->status == MAE_OK ? "" : ", and nothing could replace it");
    }
    if (!loader->sampler.opt.training)
        compact(loader, slot);
    return MAE_OK;
}

/* Without workers the consumer does it all. */
static void fill_here(MaeLoader *loader)
{
    Slot *slot = slot_of(loader, loader->given);

    if (loader->made == loader->given && !plan(loader))
        return;
    for (; slot->done < slot->planned; slot->done++)
        fetch_position(loader, &loader->workers[0].fetcher, slot, slot->done);
    loader->taking = loader->made;
}

/* True once batch number given is complete or there will be none. Lock held. */
static bool settled(MaeLoader *loader)
{
    const Slot *slot = slot_of(loader, loader->given);

    if (loader->made == loader->given)
        return at_end(loader) || slot->state == SLOT_HELD;
    return slot->done == slot->planned;
}

MaeStatus mae_loader_next(MaeLoader *loader, const MaeBatch **batch, MaeError *err)
{
    Slot *slot = slot_of(loader, loader->given);
    const double start = mae_clock_now();
    bool held, none;

    pthread_mutex_lock(&loader->lock);
    held = slot->state == SLOT_HELD && !at_end(loader);
    if (loader->threads == 0 && !held)
        fill_here(loader);
    while (!settled(loader))
        pthread_cond_wait(&loader->ready, &loader->lock);
    none = loader->made == loader->given;
    pthread_mutex_unlock(&loader->lock);
    loader->waited += mae_clock_now() - start;
    if (held)
        MAE_FAIL(err, MAE_ERR_ARG, "loader: all %zu batches are held, release one first",
                 loader->slot_count);
    if (none) {
        *batch = NULL;
        return MAE_OK;
    }
    MAE_TRY(settle(loader, slot, err));
    pthread_mutex_lock(&loader->lock);
    slot->state = SLOT_HELD;
    loader->given++;
    loader->held++;
    pthread_mutex_unlock(&loader->lock);
    *batch = &slot->batch;
    return MAE_OK;
}

void mae_loader_release(MaeLoader *loader, const MaeBatch *batch)
{
    pthread_mutex_lock(&loader->lock);
    for (size_t i = 0; i < loader->slot_count; i++) {
        Slot *slot = &loader->slots[i];

        if (&slot->batch == batch) {
            assert(slot->state == SLOT_HELD);
            slot->state = SLOT_FREE;
            loader->held--;
            pthread_cond_broadcast(&loader->work);
        }
    }
    pthread_mutex_unlock(&loader->lock);
}

MaeStatus mae_loader_seek(MaeLoader *loader, uint32_t epoch, size_t batch, MaeError *err)
{
    const size_t batches = mae_loader_batches(loader);

    if (batch > batches)
        MAE_FAIL(err, MAE_ERR_ARG, "loader: batch %zu of an epoch of %zu", batch,
                 batches);
    if (loader->held > 0)
        MAE_FAIL(err, MAE_ERR_ARG, "loader: cannot seek while %zu batches are held",
                 loader->held);
    pthread_mutex_lock(&loader->lock);
    loader->paused = true;
    while (loader->busy > 0)
        pthread_cond_wait(&loader->ready, &loader->lock);
    for (size_t i = 0; i < loader->slot_count; i++)
        loader->slots[i].state = SLOT_FREE;
    loader->made = loader->taking = loader->given = 0;
    loader->epoch = epoch;
    loader->index = batch;
    if (batch == batches && loader->sampler.opt.training) {
        loader->index = 0;
        loader->epoch++;
    }
    loader->paused = false;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    return MAE_OK;
}

double mae_loader_waited(const MaeLoader *loader)
{
    return loader->waited;
}

const MaeBadList *mae_loader_bad(const MaeLoader *loader)
{
    return &loader->bad;
}
