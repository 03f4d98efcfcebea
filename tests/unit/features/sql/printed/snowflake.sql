-- mlops sql orders contract --dialect snowflake: the rows that keep the contract, typed; settings 2cfdbb24f40a; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH "mlops_typed" AS (
SELECT
  "t0"."CUSTOMER_ID" AS "raw_0",
  IFF(
    (
      "t0"."CUSTOMER_ID" IS NULL
    )
    OR (
      CAST("t0"."CUSTOMER_ID" AS DOUBLE) = CAST('NaN' AS DOUBLE)
    )
    OR NOT (
      NOT (
        CAST("t0"."CUSTOMER_ID" AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      )
      AND (
        CAST("t0"."CUSTOMER_ID" AS DOUBLE) = FLOOR(CAST("t0"."CUSTOMER_ID" AS DOUBLE))
      )
    ),
    NULL,
    CAST("t0"."CUSTOMER_ID" AS BIGINT)
  ) AS "value_0",
  (
    "t0"."CUSTOMER_ID" IS NULL
  )
  OR (
    CAST("t0"."CUSTOMER_ID" AS DOUBLE) = CAST('NaN' AS DOUBLE)
  ) AS "missing_0",
  NOT (
    (
      "t0"."CUSTOMER_ID" IS NULL
    )
    OR (
      CAST("t0"."CUSTOMER_ID" AS DOUBLE) = CAST('NaN' AS DOUBLE)
    )
  )
  AND NOT (
    NOT (
      CAST("t0"."CUSTOMER_ID" AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
    )
    AND (
      CAST("t0"."CUSTOMER_ID" AS DOUBLE) = FLOOR(CAST("t0"."CUSTOMER_ID" AS DOUBLE))
    )
  ) AS "problem_0_0",
  "t0"."Placed At" AS "raw_1",
  IFF(
    (
      "t0"."Placed At" IS NULL
    )
    OR (
      (
        DATE_PART('epoch_microsecond', "t0"."Placed At") < -9223286400000000
      )
      OR (
        DATE_PART('epoch_microsecond', "t0"."Placed At") >= 9223286400000000
      )
    ),
    NULL,
    "t0"."Placed At"
  ) AS "value_1",
  "t0"."Placed At" IS NULL AS "missing_1",
  NOT (
    "t0"."Placed At" IS NULL
  )
  AND (
    (
      DATE_PART('epoch_microsecond', "t0"."Placed At") < -9223286400000000
    )
    OR (
      DATE_PART('epoch_microsecond', "t0"."Placed At") >= 9223286400000000
    )
  ) AS "problem_1_0",
  "t0"."AMOUNT" AS "raw_2",
  IFF(
    (
      "t0"."AMOUNT" IS NULL
    )
    OR (
      CAST("t0"."AMOUNT" AS DOUBLE) = CAST('NaN' AS DOUBLE)
    )
    OR CAST("t0"."AMOUNT" AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE)),
    NULL,
    CAST("t0"."AMOUNT" AS DOUBLE)
  ) AS "value_2",
  (
    "t0"."AMOUNT" IS NULL
  )
  OR (
    CAST("t0"."AMOUNT" AS DOUBLE) = CAST('NaN' AS DOUBLE)
  ) AS "missing_2",
  NOT (
    (
      "t0"."AMOUNT" IS NULL
    )
    OR (
      CAST("t0"."AMOUNT" AS DOUBLE) = CAST('NaN' AS DOUBLE)
    )
  )
  AND CAST("t0"."AMOUNT" AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE)) AS "problem_2_0",
  "t0"."ITEM" AS "raw_3",
  "t0"."ITEM" AS "value_3",
  "t0"."ITEM" IS NULL AS "missing_3"
FROM "SHOP"."ORDERS" AS "t0"
), "mlops_checked" AS (
SELECT
  "t0"."raw_0",
  "t0"."raw_1",
  "t0"."raw_2",
  "t0"."raw_3",
  "t0"."value_0",
  "t0"."value_1",
  "t0"."value_2",
  "t0"."value_3",
  "t0"."missing_0" AS "broken_0",
  "t0"."problem_0_0" AS "broken_1",
  COALESCE(CAST("t0"."value_0" AS DOUBLE) < 1.0, FALSE) AS "broken_2",
  "t0"."missing_1" AS "broken_3",
  "t0"."problem_1_0" AS "broken_4",
  COALESCE(
    DATE_PART('epoch_microsecond', "t0"."value_1") > DATE_PART('epoch_microsecond', CURRENT_TIMESTAMP()),
    FALSE
  ) AS "broken_5",
  "t0"."problem_2_0" AS "broken_6",
  COALESCE(CAST("t0"."value_2" AS DOUBLE) > 10000.0, FALSE) AS "broken_7",
  "t0"."missing_3" AS "broken_8",
  COALESCE(NOT (
    "t0"."value_3" IN ('it\'s', 'back\\slash')
  ), FALSE) AS "broken_9"
FROM "mlops_typed" AS "t0"
), "mlops_bad" AS (
SELECT
  "t0"."raw_0",
  "t0"."raw_1",
  "t0"."raw_2",
  "t0"."raw_3",
  "t0"."value_0",
  "t0"."value_1",
  "t0"."value_2",
  "t0"."value_3",
  "t0"."broken_0",
  "t0"."broken_1",
  "t0"."broken_2",
  "t0"."broken_3",
  "t0"."broken_4",
  "t0"."broken_5",
  "t0"."broken_6",
  "t0"."broken_7",
  "t0"."broken_8",
  "t0"."broken_9",
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
  "t0"."raw_0",
  "t0"."raw_1",
  "t0"."raw_2",
  "t0"."raw_3",
  "t0"."value_0",
  "t0"."value_1",
  "t0"."value_2",
  "t0"."value_3",
  "t0"."broken_0",
  "t0"."broken_1",
  "t0"."broken_2",
  "t0"."broken_3",
  "t0"."broken_4",
  "t0"."broken_5",
  "t0"."broken_6",
  "t0"."broken_7",
  "t0"."broken_8",
  "t0"."broken_9",
  NOT (
    "t0"."bad"
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY "t0"."bad", "t0"."value_0", "t0"."value_1"
        ORDER BY "t0"."raw_0" ASC, "t0"."raw_1" ASC, "t0"."raw_2" ASC, "t0"."raw_3" ASC
      ) - 1
    ) > 0
  ) AS "broken_10"
FROM "mlops_bad" AS "t0"
), "mlops_judged" AS (
SELECT
  "t0"."raw_0",
  "t0"."raw_1",
  "t0"."raw_2",
  "t0"."raw_3",
  "t0"."value_0",
  "t0"."value_1",
  "t0"."value_2",
  "t0"."value_3",
  "t0"."broken_0",
  "t0"."broken_1",
  "t0"."broken_2",
  "t0"."broken_3",
  "t0"."broken_4",
  "t0"."broken_5",
  "t0"."broken_6",
  "t0"."broken_7",
  "t0"."broken_8",
  "t0"."broken_9",
  "t0"."broken_10",
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
                        CONCAT('', IFF("t0"."broken_0", '; customer.nullable: is missing', '')),
                        IFF("t0"."broken_1", '; customer.dtype: is not an int64', '')
                      ),
                      IFF("t0"."broken_2", '; customer.min: is below 1', '')
                    ),
                    IFF("t0"."broken_3", '; at.nullable: is missing', '')
                  ),
                  IFF("t0"."broken_4", '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IFF("t0"."broken_5", '; at.future: is after now', '')
              ),
              IFF("t0"."broken_6", '; amount.dtype: is not a finite float64', '')
            ),
            IFF("t0"."broken_7", '; amount.max: is above 10000', '')
          ),
          IFF("t0"."broken_8", '; item.nullable: is missing', '')
        ),
        IFF("t0"."broken_9", '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IFF("t0"."broken_10", '; customer+at.unique: repeats an earlier row', '')
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

-- mlops sql orders quarantine --dialect snowflake: the rows that break the contract, as they came, with the reasons; settings 2cfdbb24f40a; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH "mlops_typed" AS (
SELECT
  "t0"."CUSTOMER_ID" AS "raw_0",
  IFF(
    (
      "t0"."CUSTOMER_ID" IS NULL
    )
    OR (
      CAST("t0"."CUSTOMER_ID" AS DOUBLE) = CAST('NaN' AS DOUBLE)
    )
    OR NOT (
      NOT (
        CAST("t0"."CUSTOMER_ID" AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      )
      AND (
        CAST("t0"."CUSTOMER_ID" AS DOUBLE) = FLOOR(CAST("t0"."CUSTOMER_ID" AS DOUBLE))
      )
    ),
    NULL,
    CAST("t0"."CUSTOMER_ID" AS BIGINT)
  ) AS "value_0",
  (
    "t0"."CUSTOMER_ID" IS NULL
  )
  OR (
    CAST("t0"."CUSTOMER_ID" AS DOUBLE) = CAST('NaN' AS DOUBLE)
  ) AS "missing_0",
  NOT (
    (
      "t0"."CUSTOMER_ID" IS NULL
    )
    OR (
      CAST("t0"."CUSTOMER_ID" AS DOUBLE) = CAST('NaN' AS DOUBLE)
    )
  )
  AND NOT (
    NOT (
      CAST("t0"."CUSTOMER_ID" AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
    )
    AND (
      CAST("t0"."CUSTOMER_ID" AS DOUBLE) = FLOOR(CAST("t0"."CUSTOMER_ID" AS DOUBLE))
    )
  ) AS "problem_0_0",
  "t0"."Placed At" AS "raw_1",
  IFF(
    (
      "t0"."Placed At" IS NULL
    )
    OR (
      (
        DATE_PART('epoch_microsecond', "t0"."Placed At") < -9223286400000000
      )
      OR (
        DATE_PART('epoch_microsecond', "t0"."Placed At") >= 9223286400000000
      )
    ),
    NULL,
    "t0"."Placed At"
  ) AS "value_1",
  "t0"."Placed At" IS NULL AS "missing_1",
  NOT (
    "t0"."Placed At" IS NULL
  )
  AND (
    (
      DATE_PART('epoch_microsecond', "t0"."Placed At") < -9223286400000000
    )
    OR (
      DATE_PART('epoch_microsecond', "t0"."Placed At") >= 9223286400000000
    )
  ) AS "problem_1_0",
  "t0"."AMOUNT" AS "raw_2",
  IFF(
    (
      "t0"."AMOUNT" IS NULL
    )
    OR (
      CAST("t0"."AMOUNT" AS DOUBLE) = CAST('NaN' AS DOUBLE)
    )
    OR CAST("t0"."AMOUNT" AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE)),
    NULL,
    CAST("t0"."AMOUNT" AS DOUBLE)
  ) AS "value_2",
  (
    "t0"."AMOUNT" IS NULL
  )
  OR (
    CAST("t0"."AMOUNT" AS DOUBLE) = CAST('NaN' AS DOUBLE)
  ) AS "missing_2",
  NOT (
    (
      "t0"."AMOUNT" IS NULL
    )
    OR (
      CAST("t0"."AMOUNT" AS DOUBLE) = CAST('NaN' AS DOUBLE)
    )
  )
  AND CAST("t0"."AMOUNT" AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE)) AS "problem_2_0",
  "t0"."ITEM" AS "raw_3",
  "t0"."ITEM" AS "value_3",
  "t0"."ITEM" IS NULL AS "missing_3"
FROM "SHOP"."ORDERS" AS "t0"
), "mlops_checked" AS (
SELECT
  "t0"."raw_0",
  "t0"."raw_1",
  "t0"."raw_2",
  "t0"."raw_3",
  "t0"."value_0",
  "t0"."value_1",
  "t0"."value_2",
  "t0"."value_3",
  "t0"."missing_0" AS "broken_0",
  "t0"."problem_0_0" AS "broken_1",
  COALESCE(CAST("t0"."value_0" AS DOUBLE) < 1.0, FALSE) AS "broken_2",
  "t0"."missing_1" AS "broken_3",
  "t0"."problem_1_0" AS "broken_4",
  COALESCE(
    DATE_PART('epoch_microsecond', "t0"."value_1") > DATE_PART('epoch_microsecond', CURRENT_TIMESTAMP()),
    FALSE
  ) AS "broken_5",
  "t0"."problem_2_0" AS "broken_6",
  COALESCE(CAST("t0"."value_2" AS DOUBLE) > 10000.0, FALSE) AS "broken_7",
  "t0"."missing_3" AS "broken_8",
  COALESCE(NOT (
    "t0"."value_3" IN ('it\'s', 'back\\slash')
  ), FALSE) AS "broken_9"
FROM "mlops_typed" AS "t0"
), "mlops_bad" AS (
SELECT
  "t0"."raw_0",
  "t0"."raw_1",
  "t0"."raw_2",
  "t0"."raw_3",
  "t0"."value_0",
  "t0"."value_1",
  "t0"."value_2",
  "t0"."value_3",
  "t0"."broken_0",
  "t0"."broken_1",
  "t0"."broken_2",
  "t0"."broken_3",
  "t0"."broken_4",
  "t0"."broken_5",
  "t0"."broken_6",
  "t0"."broken_7",
  "t0"."broken_8",
  "t0"."broken_9",
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
  "t0"."raw_0",
  "t0"."raw_1",
  "t0"."raw_2",
  "t0"."raw_3",
  "t0"."value_0",
  "t0"."value_1",
  "t0"."value_2",
  "t0"."value_3",
  "t0"."broken_0",
  "t0"."broken_1",
  "t0"."broken_2",
  "t0"."broken_3",
  "t0"."broken_4",
  "t0"."broken_5",
  "t0"."broken_6",
  "t0"."broken_7",
  "t0"."broken_8",
  "t0"."broken_9",
  NOT (
    "t0"."bad"
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY "t0"."bad", "t0"."value_0", "t0"."value_1"
        ORDER BY "t0"."raw_0" ASC, "t0"."raw_1" ASC, "t0"."raw_2" ASC, "t0"."raw_3" ASC
      ) - 1
    ) > 0
  ) AS "broken_10"
FROM "mlops_bad" AS "t0"
), "mlops_judged" AS (
SELECT
  "t0"."raw_0",
  "t0"."raw_1",
  "t0"."raw_2",
  "t0"."raw_3",
  "t0"."value_0",
  "t0"."value_1",
  "t0"."value_2",
  "t0"."value_3",
  "t0"."broken_0",
  "t0"."broken_1",
  "t0"."broken_2",
  "t0"."broken_3",
  "t0"."broken_4",
  "t0"."broken_5",
  "t0"."broken_6",
  "t0"."broken_7",
  "t0"."broken_8",
  "t0"."broken_9",
  "t0"."broken_10",
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
                        CONCAT('', IFF("t0"."broken_0", '; customer.nullable: is missing', '')),
                        IFF("t0"."broken_1", '; customer.dtype: is not an int64', '')
                      ),
                      IFF("t0"."broken_2", '; customer.min: is below 1', '')
                    ),
                    IFF("t0"."broken_3", '; at.nullable: is missing', '')
                  ),
                  IFF("t0"."broken_4", '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IFF("t0"."broken_5", '; at.future: is after now', '')
              ),
              IFF("t0"."broken_6", '; amount.dtype: is not a finite float64', '')
            ),
            IFF("t0"."broken_7", '; amount.max: is above 10000', '')
          ),
          IFF("t0"."broken_8", '; item.nullable: is missing', '')
        ),
        IFF("t0"."broken_9", '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IFF("t0"."broken_10", '; customer+at.unique: repeats an earlier row', '')
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
  "t0"."reason"
FROM "mlops_judged" AS "t0"
WHERE
  "t0"."reason" <> '';
