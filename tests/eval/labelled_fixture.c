#include "labelled_fixture.h"

#include "data/fixture.h"
#include "support/model.h"

void labelled_fixture_open(LabelledFixture *f)
{
    MaeError err = {0};

    *f = (LabelledFixture){.folder = mae_test_folder()};
    fixture_classes(f->folder, 3, 7, 10, 14);
    ck_assert_ok(mae_dataset_open(&f->ds, f->folder, NULL, &err));
    test_loaded_open(&f->loaded, MAE_SNAPSHOT_AUTOENCODER, &test_small_arch, 3);
}

void labelled_fixture_close(LabelledFixture *f)
{
    mae_loaded_model_close(&f->loaded);
    mae_dataset_close(f->ds);
    mae_test_folder_remove(f->folder);
}
