/**
 * @file opened.h
 * What every test of a dataset has at hand, made anew for each by the checked fixture
 * opened_setup, opened_teardown.
 */
#ifndef MAE_TESTS_DATA_OPENED_H
#define MAE_TESTS_DATA_OPENED_H

#include "data/dataset.h"
#include "data/fixture.h"

extern char *root;     /* an empty folder, removed afterwards */
extern MaeDataset *ds; /* NULL; closed afterwards */
extern MaeError err;

void opened_setup(void);
void opened_teardown(void);

#endif /* MAE_TESTS_DATA_OPENED_H */
