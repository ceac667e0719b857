/**
 * @file fuzz_h5.h
 * What the targets over libhdf5 share. With MAE_FUZZ_NO_TRIAL in the environment files
 * are not tried in a child first (base/trial.h): what libhdf5 does with them is seen.
 */
#ifndef MAE_TESTS_FUZZ_FUZZ_H5_H
#define MAE_TESTS_FUZZ_FUZZ_H5_H

/** Call first: libhdf5 gives memory back at once, so that a sanitizer sees its uses. */
void fuzz_h5_begin(void);

/** Call last: aborts if a file or an object in one is still open. */
void fuzz_h5_end(void);

#endif /* MAE_TESTS_FUZZ_FUZZ_H5_H */
