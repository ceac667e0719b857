/**
 * @file gemm_reference.h
 * Products against naive loops in double: what the tests of kernel/gemm.h share.
 */
#ifndef MAE_TESTS_KERNEL_GEMM_REFERENCE_H
#define MAE_TESTS_KERNEL_GEMM_REFERENCE_H

#include "kernel/gemm.h"
#include "reference.h"

/** Backends and operand types a build may have: KINDS of them. */
typedef struct RefKind {
    MaeGemmBackend backend;
    MaeDtype type;
} RefKind;

enum { KINDS = 4, FORMS = 3 };

extern const RefKind ref_kinds[KINDS];

/** NULL, and a line on stderr, if this build or processor is without it. */
MaeGemm *ref_open_kind(size_t kind, size_t threads);

typedef void (*RefProduct)(const MaeGemm *, MaeOperand, size_t, const void *, size_t,
                           const void *, size_t, size_t, size_t, size_t, const float *,
                           const float *);

/** One orientation and how its operands are stored. */
typedef struct RefForm {
    const char *name;
    MaeGemmForm form;
    RefProduct run;
    bool a_turned; /* A is stored [k,m] */
    bool b_turned; /* B is stored [n,k] */
} RefForm;

extern const RefForm ref_forms[FORMS];

enum { RES_NONE, RES_OTHER, RES_SELF };

/** One product; lda, ldb and ldc exceed the columns by multiples of pad. */
typedef struct RefCase {
    size_t m, n, k, pad;
    bool has_bias;
    int res;
    MaeDtype out;
} RefCase;

/** Its numbers, rounded to operands: the reference sees what the product sees. */
typedef struct RefData {
    size_t lda, ldb, ldc;
    float *a, *b, *c, *bias, *res;
    MaeOperand a_operand, b_operand, c_operand;
} RefData;

/** Random numbers for a case; freed by ref_drop. */
RefData ref_make(const RefForm *f, MaeDtype type, const RefCase *c);
void ref_drop(RefData *d);

/** Run the product, into d->c_operand. */
void ref_multiply(const MaeGemm *gemm, const RefForm *f, const RefCase *c,
                  const RefData *d);

/** Fail unless the product equals the loops and nothing between the rows changed. */
void ref_check(const MaeGemm *gemm, const RefForm *f, const RefCase *c);

#endif /* MAE_TESTS_KERNEL_GEMM_REFERENCE_H */
