-- mlops sql orders contract --dialect clickhouse: the rows that keep the contract, typed; settings 2cfdbb24f40a; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH "mlops_typed" AS (
SELECT
  "t0"."customer_id" AS "raw_0",
  CASE
    WHEN isNull("t0"."customer_id")
    OR isNaN(CAST("t0"."customer_id" AS Nullable(Float64)))
    OR NOT (
      NOT (
        isInfinite(CAST("t0"."customer_id" AS Nullable(Float64)))
      )
      AND (
        CAST("t0"."customer_id" AS Nullable(Float64)) = FLOOR(CAST("t0"."customer_id" AS Nullable(Float64)))
      )
    )
    THEN NULL
    ELSE CAST("t0"."customer_id" AS Nullable(Int64))
  END AS "value_0",
  isNull("t0"."customer_id")
  OR isNaN(CAST("t0"."customer_id" AS Nullable(Float64))) AS "missing_0",
  NOT (
    isNull("t0"."customer_id")
    OR isNaN(CAST("t0"."customer_id" AS Nullable(Float64)))
  )
  AND NOT (
    NOT (
      isInfinite(CAST("t0"."customer_id" AS Nullable(Float64)))
    )
    AND (
      CAST("t0"."customer_id" AS Nullable(Float64)) = FLOOR(CAST("t0"."customer_id" AS Nullable(Float64)))
    )
  ) AS "problem_0_0",
  "t0"."Placed At" AS "raw_1",
  CASE
    WHEN isNull("t0"."Placed At")
    OR (
      (
        toUnixTimestamp64Micro(toTimeZone(CAST("t0"."Placed At" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) < -9223286400000000
      )
      OR (
        toUnixTimestamp64Micro(toTimeZone(CAST("t0"."Placed At" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) >= 9223286400000000
      )
    )
    THEN NULL
    ELSE "t0"."Placed At"
  END AS "value_1",
  isNull("t0"."Placed At") AS "missing_1",
  NOT (
    isNull("t0"."Placed At")
  )
  AND (
    (
      toUnixTimestamp64Micro(toTimeZone(CAST("t0"."Placed At" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) < -9223286400000000
    )
    OR (
      toUnixTimestamp64Micro(toTimeZone(CAST("t0"."Placed At" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) >= 9223286400000000
    )
  ) AS "problem_1_0",
  "t0"."amount" AS "raw_2",
  CASE
    WHEN isNull("t0"."amount")
    OR isNaN(CAST("t0"."amount" AS Nullable(Float64)))
    OR isInfinite(CAST("t0"."amount" AS Nullable(Float64)))
    THEN NULL
    ELSE CAST("t0"."amount" AS Nullable(Float64))
  END AS "value_2",
  isNull("t0"."amount") OR isNaN(CAST("t0"."amount" AS Nullable(Float64))) AS "missing_2",
  NOT (
    isNull("t0"."amount") OR isNaN(CAST("t0"."amount" AS Nullable(Float64)))
  )
  AND isInfinite(CAST("t0"."amount" AS Nullable(Float64))) AS "problem_2_0",
  "t0"."item" AS "raw_3",
  "t0"."item" AS "value_3",
  isNull("t0"."item") AS "missing_3"
FROM "shop"."orders" AS "t0"
), "mlops_checked" AS (
SELECT
  "t0"."raw_0" AS "raw_0",
  "t0"."raw_1" AS "raw_1",
  "t0"."raw_2" AS "raw_2",
  "t0"."raw_3" AS "raw_3",
  "t0"."value_0" AS "value_0",
  "t0"."value_1" AS "value_1",
  "t0"."value_2" AS "value_2",
  "t0"."value_3" AS "value_3",
  "t0"."missing_0" AS "broken_0",
  "t0"."problem_0_0" AS "broken_1",
  COALESCE(CAST("t0"."value_0" AS Nullable(Float64)) < 1.0, FALSE) AS "broken_2",
  "t0"."missing_1" AS "broken_3",
  "t0"."problem_1_0" AS "broken_4",
  COALESCE(
    toUnixTimestamp64Micro(toTimeZone(CAST("t0"."value_1" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) > toUnixTimestamp64Micro(toTimeZone(CAST(now64() AS Nullable(DateTime64(6, 'UTC'))), 'UTC')),
    FALSE
  ) AS "broken_5",
  "t0"."problem_2_0" AS "broken_6",
  COALESCE(CAST("t0"."value_2" AS Nullable(Float64)) > 10000.0, FALSE) AS "broken_7",
  "t0"."missing_3" AS "broken_8",
  COALESCE(NOT (
    "t0"."value_3" IN ('it''s', 'back\\slash')
  ), FALSE) AS "broken_9"
FROM "mlops_typed" AS "t0"
), "mlops_bad" AS (
SELECT
  "t0"."raw_0" AS "raw_0",
  "t0"."raw_1" AS "raw_1",
  "t0"."raw_2" AS "raw_2",
  "t0"."raw_3" AS "raw_3",
  "t0"."value_0" AS "value_0",
  "t0"."value_1" AS "value_1",
  "t0"."value_2" AS "value_2",
  "t0"."value_3" AS "value_3",
  "t0"."broken_0" AS "broken_0",
  "t0"."broken_1" AS "broken_1",
  "t0"."broken_2" AS "broken_2",
  "t0"."broken_3" AS "broken_3",
  "t0"."broken_4" AS "broken_4",
  "t0"."broken_5" AS "broken_5",
  "t0"."broken_6" AS "broken_6",
  "t0"."broken_7" AS "broken_7",
  "t0"."broken_8" AS "broken_8",
  "t0"."broken_9" AS "broken_9",
  FALSE
  OR "t0"."broken_0"
  OR "t0"."broken_1"
  OR "t0"."broken_2"
  OR "t0"."broken_3"
  OR "t0"."broken_4"
  OR "t0"."broken_5"
  OR "t0"."broken_6"
  OR "t0"."broken_7"
  OR "t0"."broken_8"
  OR "t0"."broken_9" AS "bad"
FROM "mlops_checked" AS "t0"
), "mlops_once" AS (
SELECT
  "t0"."raw_0" AS "raw_0",
  "t0"."raw_1" AS "raw_1",
  "t0"."raw_2" AS "raw_2",
  "t0"."raw_3" AS "raw_3",
  "t0"."value_0" AS "value_0",
  "t0"."value_1" AS "value_1",
  "t0"."value_2" AS "value_2",
  "t0"."value_3" AS "value_3",
  "t0"."broken_0" AS "broken_0",
  "t0"."broken_1" AS "broken_1",
  "t0"."broken_2" AS "broken_2",
  "t0"."broken_3" AS "broken_3",
  "t0"."broken_4" AS "broken_4",
  "t0"."broken_5" AS "broken_5",
  "t0"."broken_6" AS "broken_6",
  "t0"."broken_7" AS "broken_7",
  "t0"."broken_8" AS "broken_8",
  "t0"."broken_9" AS "broken_9",
  NOT (
    "t0"."bad"
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY "t0"."bad", "t0"."value_0", "t0"."value_1"
        ORDER BY "t0"."raw_0" ASC, "t0"."raw_1" ASC, "t0"."raw_2" ASC, "t0"."raw_3" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) - 1
    ) > 0
  ) AS "broken_10"
FROM "mlops_bad" AS "t0"
), "mlops_judged" AS (
SELECT
  "t0"."raw_0" AS "raw_0",
  "t0"."raw_1" AS "raw_1",
  "t0"."raw_2" AS "raw_2",
  "t0"."raw_3" AS "raw_3",
  "t0"."value_0" AS "value_0",
  "t0"."value_1" AS "value_1",
  "t0"."value_2" AS "value_2",
  "t0"."value_3" AS "value_3",
  "t0"."broken_0" AS "broken_0",
  "t0"."broken_1" AS "broken_1",
  "t0"."broken_2" AS "broken_2",
  "t0"."broken_3" AS "broken_3",
  "t0"."broken_4" AS "broken_4",
  "t0"."broken_5" AS "broken_5",
  "t0"."broken_6" AS "broken_6",
  "t0"."broken_7" AS "broken_7",
  "t0"."broken_8" AS "broken_8",
  "t0"."broken_9" AS "broken_9",
  "t0"."broken_10" AS "broken_10",
  SUBSTRING(
    CONCAT(
      CONCAT(
        CONCAT(
          CONCAT(
            CONCAT(
              CONCAT(
                CONCAT(
                  CONCAT(
                    CONCAT(
                      CONCAT(
                        CONCAT('', CASE WHEN "t0"."broken_0" THEN '; customer.nullable: is missing' ELSE '' END),
                        CASE WHEN "t0"."broken_1" THEN '; customer.dtype: is not an int64' ELSE '' END
                      ),
                      CASE WHEN "t0"."broken_2" THEN '; customer.min: is below 1' ELSE '' END
                    ),
                    CASE WHEN "t0"."broken_3" THEN '; at.nullable: is missing' ELSE '' END
                  ),
                  CASE
                    WHEN "t0"."broken_4"
                    THEN '; at.dtype: is not a datetime between the years 1678 and 2262'
                    ELSE ''
                  END
                ),
                CASE WHEN "t0"."broken_5" THEN '; at.future: is after now' ELSE '' END
              ),
              CASE WHEN "t0"."broken_6" THEN '; amount.dtype: is not a finite float64' ELSE '' END
            ),
            CASE WHEN "t0"."broken_7" THEN '; amount.max: is above 10000' ELSE '' END
          ),
          CASE WHEN "t0"."broken_8" THEN '; item.nullable: is missing' ELSE '' END
        ),
        CASE
          WHEN "t0"."broken_9"
          THEN '; item.allowed: is not one of "it''s", ''back\\\\slash'''
          ELSE ''
        END
      ),
      CASE
        WHEN "t0"."broken_10"
        THEN '; customer+at.unique: repeats an earlier row'
        ELSE ''
      END
    ),
    3
  ) AS "reason"
FROM "mlops_once" AS "t0"
)
SELECT
  "t0"."value_0" AS "customer",
  "t0"."value_1" AS "at",
  "t0"."value_2" AS "amount",
  "t0"."value_3" AS "item"
FROM "mlops_judged" AS "t0"
WHERE
  "t0"."reason" = '';

-- mlops sql orders quarantine --dialect clickhouse: the rows that break the contract, as they came, with the reasons; settings 2cfdbb24f40a; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH "mlops_typed" AS (
SELECT
  "t0"."customer_id" AS "raw_0",
  CASE
    WHEN isNull("t0"."customer_id")
    OR isNaN(CAST("t0"."customer_id" AS Nullable(Float64)))
    OR NOT (
      NOT (
        isInfinite(CAST("t0"."customer_id" AS Nullable(Float64)))
      )
      AND (
        CAST("t0"."customer_id" AS Nullable(Float64)) = FLOOR(CAST("t0"."customer_id" AS Nullable(Float64)))
      )
    )
    THEN NULL
    ELSE CAST("t0"."customer_id" AS Nullable(Int64))
  END AS "value_0",
  isNull("t0"."customer_id")
  OR isNaN(CAST("t0"."customer_id" AS Nullable(Float64))) AS "missing_0",
  NOT (
    isNull("t0"."customer_id")
    OR isNaN(CAST("t0"."customer_id" AS Nullable(Float64)))
  )
  AND NOT (
    NOT (
      isInfinite(CAST("t0"."customer_id" AS Nullable(Float64)))
    )
    AND (
      CAST("t0"."customer_id" AS Nullable(Float64)) = FLOOR(CAST("t0"."customer_id" AS Nullable(Float64)))
    )
  ) AS "problem_0_0",
  "t0"."Placed At" AS "raw_1",
  CASE
    WHEN isNull("t0"."Placed At")
    OR (
      (
        toUnixTimestamp64Micro(toTimeZone(CAST("t0"."Placed At" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) < -9223286400000000
      )
      OR (
        toUnixTimestamp64Micro(toTimeZone(CAST("t0"."Placed At" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) >= 9223286400000000
      )
    )
    THEN NULL
    ELSE "t0"."Placed At"
  END AS "value_1",
  isNull("t0"."Placed At") AS "missing_1",
  NOT (
    isNull("t0"."Placed At")
  )
  AND (
    (
      toUnixTimestamp64Micro(toTimeZone(CAST("t0"."Placed At" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) < -9223286400000000
    )
    OR (
      toUnixTimestamp64Micro(toTimeZone(CAST("t0"."Placed At" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) >= 9223286400000000
    )
  ) AS "problem_1_0",
  "t0"."amount" AS "raw_2",
  CASE
    WHEN isNull("t0"."amount")
    OR isNaN(CAST("t0"."amount" AS Nullable(Float64)))
    OR isInfinite(CAST("t0"."amount" AS Nullable(Float64)))
    THEN NULL
    ELSE CAST("t0"."amount" AS Nullable(Float64))
  END AS "value_2",
  isNull("t0"."amount") OR isNaN(CAST("t0"."amount" AS Nullable(Float64))) AS "missing_2",
  NOT (
    isNull("t0"."amount") OR isNaN(CAST("t0"."amount" AS Nullable(Float64)))
  )
  AND isInfinite(CAST("t0"."amount" AS Nullable(Float64))) AS "problem_2_0",
  "t0"."item" AS "raw_3",
  "t0"."item" AS "value_3",
  isNull("t0"."item") AS "missing_3"
FROM "shop"."orders" AS "t0"
), "mlops_checked" AS (
SELECT
  "t0"."raw_0" AS "raw_0",
  "t0"."raw_1" AS "raw_1",
  "t0"."raw_2" AS "raw_2",
  "t0"."raw_3" AS "raw_3",
  "t0"."value_0" AS "value_0",
  "t0"."value_1" AS "value_1",
  "t0"."value_2" AS "value_2",
  "t0"."value_3" AS "value_3",
  "t0"."missing_0" AS "broken_0",
  "t0"."problem_0_0" AS "broken_1",
  COALESCE(CAST("t0"."value_0" AS Nullable(Float64)) < 1.0, FALSE) AS "broken_2",
  "t0"."missing_1" AS "broken_3",
  "t0"."problem_1_0" AS "broken_4",
  COALESCE(
    toUnixTimestamp64Micro(toTimeZone(CAST("t0"."value_1" AS Nullable(DateTime64(6, 'UTC'))), 'UTC')) > toUnixTimestamp64Micro(toTimeZone(CAST(now64() AS Nullable(DateTime64(6, 'UTC'))), 'UTC')),
    FALSE
  ) AS "broken_5",
  "t0"."problem_2_0" AS "broken_6",
  COALESCE(CAST("t0"."value_2" AS Nullable(Float64)) > 10000.0, FALSE) AS "broken_7",
  "t0"."missing_3" AS "broken_8",
  COALESCE(NOT (
    "t0"."value_3" IN ('it''s', 'back\\slash')
  ), FALSE) AS "broken_9"
FROM "mlops_typed" AS "t0"
), "mlops_bad" AS (
SELECT
  "t0"."raw_0" AS "raw_0",
  "t0"."raw_1" AS "raw_1",
  "t0"."raw_2" AS "raw_2",
  "t0"."raw_3" AS "raw_3",
  "t0"."value_0" AS "value_0",
  "t0"."value_1" AS "value_1",
  "t0"."value_2" AS "value_2",
  "t0"."value_3" AS "value_3",
  "t0"."broken_0" AS "broken_0",
  "t0"."broken_1" AS "broken_1",
  "t0"."broken_2" AS "broken_2",
  "t0"."broken_3" AS "broken_3",
  "t0"."broken_4" AS "broken_4",
  "t0"."broken_5" AS "broken_5",
  "t0"."broken_6" AS "broken_6",
  "t0"."broken_7" AS "broken_7",
  "t0"."broken_8" AS "broken_8",
  "t0"."broken_9" AS "broken_9",
  FALSE
  OR "t0"."broken_0"
  OR "t0"."broken_1"
  OR "t0"."broken_2"
  OR "t0"."broken_3"
  OR "t0"."broken_4"
  OR "t0"."broken_5"
  OR "t0"."broken_6"
  OR "t0"."broken_7"
  OR "t0"."broken_8"
  OR "t0"."broken_9" AS "bad"
FROM "mlops_checked" AS "t0"
), "mlops_once" AS (
SELECT
  "t0"."raw_0" AS "raw_0",
  "t0"."raw_1" AS "raw_1",
  "t0"."raw_2" AS "raw_2",
  "t0"."raw_3" AS "raw_3",
  "t0"."value_0" AS "value_0",
  "t0"."value_1" AS "value_1",
  "t0"."value_2" AS "value_2",
  "t0"."value_3" AS "value_3",
  "t0"."broken_0" AS "broken_0",
  "t0"."broken_1" AS "broken_1",
  "t0"."broken_2" AS "broken_2",
  "t0"."broken_3" AS "broken_3",
  "t0"."broken_4" AS "broken_4",
  "t0"."broken_5" AS "broken_5",
  "t0"."broken_6" AS "broken_6",
  "t0"."broken_7" AS "broken_7",
  "t0"."broken_8" AS "broken_8",
  "t0"."broken_9" AS "broken_9",
  NOT (
    "t0"."bad"
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY "t0"."bad", "t0"."value_0", "t0"."value_1"
        ORDER BY "t0"."raw_0" ASC, "t0"."raw_1" ASC, "t0"."raw_2" ASC, "t0"."raw_3" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) - 1
    ) > 0
  ) AS "broken_10"
FROM "mlops_bad" AS "t0"
), "mlops_judged" AS (
SELECT
  "t0"."raw_0" AS "raw_0",
  "t0"."raw_1" AS "raw_1",
  "t0"."raw_2" AS "raw_2",
  "t0"."raw_3" AS "raw_3",
  "t0"."value_0" AS "value_0",
  "t0"."value_1" AS "value_1",
  "t0"."value_2" AS "value_2",
  "t0"."value_3" AS "value_3",
  "t0"."broken_0" AS "broken_0",
  "t0"."broken_1" AS "broken_1",
  "t0"."broken_2" AS "broken_2",
  "t0"."broken_3" AS "broken_3",
  "t0"."broken_4" AS "broken_4",
  "t0"."broken_5" AS "broken_5",
  "t0"."broken_6" AS "broken_6",
  "t0"."broken_7" AS "broken_7",
  "t0"."broken_8" AS "broken_8",
  "t0"."broken_9" AS "broken_9",
  "t0"."broken_10" AS "broken_10",
  SUBSTRING(
    CONCAT(
      CONCAT(
        CONCAT(
          CONCAT(
            CONCAT(
              CONCAT(
                CONCAT(
                  CONCAT(
                    CONCAT(
                      CONCAT(
                        CONCAT('', CASE WHEN "t0"."broken_0" THEN '; customer.nullable: is missing' ELSE '' END),
                        CASE WHEN "t0"."broken_1" THEN '; customer.dtype: is not an int64' ELSE '' END
                      ),
                      CASE WHEN "t0"."broken_2" THEN '; customer.min: is below 1' ELSE '' END
                    ),
                    CASE WHEN "t0"."broken_3" THEN '; at.nullable: is missing' ELSE '' END
                  ),
                  CASE
                    WHEN "t0"."broken_4"
                    THEN '; at.dtype: is not a datetime between the years 1678 and 2262'
                    ELSE ''
                  END
                ),
                CASE WHEN "t0"."broken_5" THEN '; at.future: is after now' ELSE '' END
              ),
              CASE WHEN "t0"."broken_6" THEN '; amount.dtype: is not a finite float64' ELSE '' END
            ),
            CASE WHEN "t0"."broken_7" THEN '; amount.max: is above 10000' ELSE '' END
          ),
          CASE WHEN "t0"."broken_8" THEN '; item.nullable: is missing' ELSE '' END
        ),
        CASE
          WHEN "t0"."broken_9"
          THEN '; item.allowed: is not one of "it''s", ''back\\\\slash'''
          ELSE ''
        END
      ),
      CASE
        WHEN "t0"."broken_10"
        THEN '; customer+at.unique: repeats an earlier row'
        ELSE ''
      END
    ),
    3
  ) AS "reason"
FROM "mlops_once" AS "t0"
)
SELECT
  "t0"."raw_0" AS "customer",
  "t0"."raw_1" AS "at",
  "t0"."raw_2" AS "amount",
  "t0"."raw_3" AS "item",
  "t0"."reason" AS "reason"
FROM "mlops_judged" AS "t0"
WHERE
  "t0"."reason" <> '';
