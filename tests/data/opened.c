#include "data/opened.h"

char *root;
MaeDataset *ds;
MaeError err;

void opened_setup(void)
{
    root = mae_test_folder();
    ds = NULL;
    err = (MaeError){0};
}

void opened_teardown(void)
{
    mae_dataset_close(ds);
    mae_test_folder_remove(root);
}
