-- Features as of 2024-02-01: count_chosen, count_both, sum_window_of_amount, mean_all_of_amount, min_all_of_amount, max_window_of_amount, std_all_of_amount, nunique_window_of_item, days_since_first_all, days_since_last_window
SELECT
  *
FROM (
  SELECT
    "t1"."entity" AS "entity",
    COALESCE(CAST(countIf("t1"."compared_0" IN ('a', 'A')) AS Nullable(Float64)), 0.0) AS "wanted_0",
    COALESCE(
      CAST(countIf(
        (
          "t1"."at" >= 1706140800000000000
        )
        AND "t1"."compared_2" IN (1, 2)
        AND "t1"."compared_1" IN (1.0)
      ) AS Nullable(Float64)),
      0.0
    ) AS "wanted_1",
    COALESCE(sumIf("t1"."number_0", "t1"."at" >= 1706313600000000000), 0.0) AS "wanted_2",
    AVG("t1"."number_0") AS "wanted_3",
    MIN("t1"."number_0") AS "wanted_4",
    maxIf("t1"."number_0", "t1"."at" >= 1706313600000000000) AS "wanted_5",
    stddevSamp("t1"."number_0") AS "wanted_6",
    CAST(uniqIf("t1"."compared_0", "t1"."at" >= 1706313600000000000) AS Nullable(Float64)) AS "wanted_7",
    CAST(1706745600000000000 - MIN("t1"."at") AS Nullable(Float64)) / 86400000000000.0 AS "wanted_8",
    CAST(1706745600000000000 - maxIf("t1"."at", "t1"."at" >= 1706313600000000000) AS Nullable(Float64)) / 86400000000000.0 AS "wanted_9"
  FROM (
    SELECT
      *
    FROM "events" AS "t0"
    WHERE
      "t0"."at" < 1706745600000000000
  ) AS "t1"
  GROUP BY
    "t1"."entity"
) AS "t2"
ORDER BY
  "t2"."entity" ASC

-- Labels of ten days from then on
SELECT
  *
FROM (
  SELECT
    "t1"."entity" AS "entity",
    COALESCE(SUM("t1"."number_0"), 0.0) AS "wanted_0"
  FROM (
    SELECT
      *
    FROM "events" AS "t0"
    WHERE
      "t0"."at" >= 1706745600000000000 AND "t0"."at" < 1707609600000000000
  ) AS "t1"
  GROUP BY
    "t1"."entity"
) AS "t2"
ORDER BY
  "t2"."entity" ASC
