/* make_report FILE: a report with one of everything, full of hostile names. */
#include <math.h>
#include <stdio.h>

#include "eval/canvas.h"
#include "eval/report.h"

#define HOSTILE                                                                          \
    "<script>alert(1)</script> \" onload=alert(2) x=' \n--></style><img src=x "          \
    "onerror=alert(3)>"
#define STEPS 5000
#define RATIOS 5

static void add_numbers(MaeReport *report)
{
    static const MaeReportColumn columns[] = {
        {"Class", false}, {HOSTILE, true}, {"Images", true}};

    mae_report_section(report, "numbers", "Numbers");
    mae_report_text(report, "A run on %s", HOSTILE);
    mae_report_fact(report, "Epochs", "%d of %d", 12, 50);
    mae_report_fact(report, "Held-out loss", "%.4f", 0.4273);
    mae_report_fact(report, HOSTILE, "%s", HOSTILE);
    mae_report_table(report, &(MaeReportTable){"Classes", columns, 3, false});
    for (int i = 0; i < 4; i++) {
        mae_report_cell(report, "%s", i == 2 ? HOSTILE : "T-shirt");
        mae_report_cell(report, "%.1f", 71.25 + i);
        mae_report_cell(report, "%d", 1000);
    }
    mae_report_table(report, &(MaeReportTable){"Folded " HOSTILE, columns, 3, true});
    mae_report_cell(report, "%s", HOSTILE);
}

static void add_curves(MaeReport *report)
{
    static double x[STEPS], loss[STEPS], held_out[STEPS];
    const MaeChartSeries series[] = {{"training", x, loss, STEPS, true},
                                     {"held out " HOSTILE, x, held_out, 20, false}};
    const MaeChartYardstick lines[] = {{"mean of each patch", 0.64}, {HOSTILE, 0.9}};

    for (int i = 0; i < STEPS; i++) {
        x[i] = i / 100.0;
        held_out[i] = 0.42 + 0.5 / (1.0 + i);
        loss[i] = 0.43 + 0.6 / (1.0 + x[i]) + 0.02 * sin(i * 12.9898);
    }
    mae_report_section(report, "curves", "Curves");
    mae_report_chart(report, "Lower is better.",
                     &(MaeChart){"Loss", "epoch", "loss", series, 2, lines, 2, false});
    mae_report_chart(
        report, NULL,
        &(MaeChart){"Loss, logarithmic", "epoch", "loss", series, 1, NULL, 0, true});
}

/* Each picture has one colour, by which a test tells it from the others. */
static MaeStatus add_pictures(MaeReport *report, MaeError *err)
{
    static const char *const labels[RATIOS] = {"10 % hidden", "30 % hidden",
                                               "50 % hidden", "75 % hidden", HOSTILE};
    MaeImage images[RATIOS] = {{0}};

    for (size_t i = 0; i < RATIOS; i++) {
        MAE_TRY(mae_canvas_open(&images[i], 28, 112, err));
        mae_canvas_fill(&images[i], (MaeBox){2, 2, 24, 20 + 20 * i},
                        (const uint8_t[]){(uint8_t)(40 * i), 98, 163});
    }
    mae_report_section(report, "pictures", "Pictures");
    mae_report_figure(report,
                      &(MaeReportFigure){"sweep", "Reconstructions", HOSTILE,
                                         "Share hidden", images, labels, RATIOS, 3});
    mae_report_figure(report,
                      &(MaeReportFigure){NULL, "One", NULL, NULL, images, labels, 1, 0});
    for (size_t i = 0; i < RATIOS; i++)
        mae_image_done(&images[i]);
    return MAE_OK;
}

int main(int argc, char **argv)
{
    MaeReport *report = NULL;
    MaeError err = {0};
    MaeStatus status;

    if (argc != 2)
        return 2;
    status = mae_report_open(&report, "Report " HOSTILE, "mae-pretrain, " HOSTILE, &err);
    if (status != MAE_OK)
        return 1;
    add_numbers(report);
    add_curves(report);
    status = add_pictures(report, &err);
    if (status == MAE_OK)
        status = mae_report_write(report, argv[1], &err);
    mae_report_close(report);
    if (status != MAE_OK)
        fprintf(stderr, "make_report: %s\n", err.msg);
    return status != MAE_OK;
}
