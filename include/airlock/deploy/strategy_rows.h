/*
 * strategy_rows: what the strategy_*.c files give to the table in strategy.c. Not for others.
 */
#ifndef AIRLOCK_DEPLOY_STRATEGY_ROWS_H
#define AIRLOCK_DEPLOY_STRATEGY_ROWS_H

#include "airlock/deploy/strategy.h"

extern const struct strategy strategy_blue_green;
extern const struct strategy strategy_mirror;
extern const struct strategy strategy_production_rollback;
extern const struct strategy strategy_rollback;
extern const struct strategy strategy_wac;
extern const struct strategy strategy_wap;

#endif
