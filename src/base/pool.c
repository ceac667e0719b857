#define _GNU_SOURCE /* sched_getaffinity */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/size.h"

/* A step issues many short grids in a row: idle threads look this often, then sleep. */
#define SPINS 4000

typedef struct Worker {
    MaePool *pool;
    pthread_t thread;
    size_t index;
} Worker;

struct MaePool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    atomic_size_t generation; /* grids started so far; changed under the lock */
    atomic_size_t idle;       /* workers that finished the current grid */
    size_t tiles, next;       /* grid, handed out under the lock */
    MaePoolFn fn;
    void *ctx;
    size_t threads; /* workers + caller */
    Worker *workers;
    bool stop;
};

size_t mae_pool_processors(void)
{
    cpu_set_t set;
    long online;

    /* fails on machines with more processors than the set can hold */
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (size_t)CPU_COUNT(&set);
    online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

static bool take(MaePool *pool, size_t *tile)
{
    bool got;

    pthread_mutex_lock(&pool->lock);
    got = pool->next < pool->tiles;
    if (got)
        *tile = pool->next++;
    pthread_mutex_unlock(&pool->lock);
    return got;
}

static void work_off(MaePool *pool, size_t thread)
{
    size_t tile;

    while (take(pool, &tile))
        pool->fn(pool->ctx, tile, thread);
}

/* Wait for a grid after @p seen; false when the pool closes. */
static bool await_grid(MaePool *pool, size_t seen)
{
    bool go;

    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen)
            break;
        if (i % 64 == 63)
            sched_yield();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->generation) == seen && !pool->stop)
        pthread_cond_wait(&pool->work, &pool->lock);
    go = !pool->stop;
    pthread_mutex_unlock(&pool->lock);
    return go;
}

static void *worker_main(void *arg)
{
    const Worker *worker = arg;
    MaePool *pool = worker->pool;
    size_t seen = 0;

    while (await_grid(pool, seen)) {
        seen++;
        work_off(pool, worker->index);
        if (atomic_fetch_add(&pool->idle, 1) + 2 == pool->threads) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->lock);
        }
    }
    return NULL;
}

MaeStatus mae_pool_open(MaePool **pool_out, size_t threads, MaeError *err)
{
    MaePool *pool;
    int rc = 0;

    if (threads == 0)
        threads = mae_pool_processors();
    if (threads > mae_pool_most())
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "threads: expected at most %zu on this machine (%zu processors), got %zu",
            mae_pool_most(), mae_pool_processors(), threads);
    pool = calloc(1, sizeof *pool);
    if (pool == NULL ||
        (pool->workers = calloc(threads, sizeof *pool->workers)) == NULL) {
        free(pool);
        MAE_FAIL(err, MAE_ERR_NOMEM, "thread pool: out of memory for %zu threads",
                 threads);
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->threads = 1;
    for (size_t i = 1; i < threads && rc == 0; i++) {
        Worker *worker = &pool->workers[i - 1];

        *worker = (Worker){.pool = pool, .index = i};
        rc = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (rc == 0)
            pool->threads++;
    }
    if (rc != 0) {
        mae_pool_close(pool);
        MAE_FAIL(err, MAE_ERR_IO, "thread pool: cannot start %zu threads: %s", threads,
                 strerror(rc));
    }
    *pool_out = pool;
    return MAE_OK;
}

void mae_pool_close(MaePool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i + 1 < pool->threads; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

size_t mae_pool_threads(const MaePool *pool)
{
    return pool == NULL ? 1 : pool->threads;
}

void mae_pool_run(MaePool *pool, size_t tiles, MaePoolFn fn, void *ctx)
{
    if (pool == NULL || pool->threads == 1 || tiles <= 1) {
        for (size_t tile = 0; tile < tiles; tile++)
            fn(ctx, tile, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->fn = fn;
    pool->ctx = ctx;
    pool->tiles = tiles;
    pool->next = 0;
    atomic_store(&pool->idle, 0);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);

    work_off(pool, 0);
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&pool->idle, memory_order_acquire) + 1 == pool->threads)
            return;
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->idle) + 1 != pool->threads)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

size_t mae_pool_most(void)
{
    return mae_larger(4 * mae_pool_processors(), 256);
}

void mae_pool_judge(const MaeLog *log, size_t threads)
{
    if (threads > mae_pool_processors())
        mae_log(log, MAE_LOG_WARN,
                "%zu threads share %zu processors: more memory is taken, nothing becomes "
                "faster",
                threads, mae_pool_processors());
}
