/** A small labelled data set and an autoencoder with random weights. */
#ifndef MAE_TESTS_EVAL_LABELLED_FIXTURE_H
#define MAE_TESTS_EVAL_LABELLED_FIXTURE_H

#include "data/dataset.h"
#include "model/snapshot.h"

typedef struct LabelledFixture {
    char *folder;
    MaeDataset *ds; /* 3 classes of 7 images of another size than the model's */
    MaeLoadedModel loaded;
} LabelledFixture;

void labelled_fixture_open(LabelledFixture *f);
void labelled_fixture_close(LabelledFixture *f);

#endif /* MAE_TESTS_EVAL_LABELLED_FIXTURE_H */
