#include "eval/report_figures.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void begin_section(MaeReport *report, const char *view)
{
    char title[64];

    (void)snprintf(title, sizeof title, "%s", view);
    title[0] = (char)toupper((unsigned char)title[0]);
    mae_report_section(report, view, title);
}

static void add(MaeReport *report, const MaeFigure *figure)
{
    const char *label = "";

    if (figure->svg != NULL)
        mae_report_drawing(report, figure->title, figure->caption, figure->svg);
    else
        mae_report_figure(report, &(MaeReportFigure){.title = figure->title,
                                                     .caption = figure->caption,
                                                     .images = &figure->picture,
                                                     .labels = &label,
                                                     .count = 1});
}

void mae_report_figures(MaeReport *report, const MaeFigures *figures)
{
    const char *view = "";

    for (size_t i = 0; i < figures->count; i++) {
        if (strcmp(view, figures->items[i].view) != 0)
            begin_section(report, figures->items[i].view);
        view = figures->items[i].view;
        add(report, &figures->items[i]);
    }
}
