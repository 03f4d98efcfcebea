-- mlops sql orders contract --dialect bigquery: the rows that keep the contract, typed; settings 2cfdbb24f40a; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH `mlops_typed` AS (
SELECT
  `t0`.`customer_id` AS `raw_0`,
  IF(
    (
      `t0`.`customer_id` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
    OR NOT (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
    )
    OR (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
      AND IF(
        `t0`.`customer_id` > 0,
        (
          `t0`.`customer_id` - 1
        ) >= 9223372036854775807,
        `t0`.`customer_id` < -9223372036854775808
      )
    ),
    NULL,
    CAST(`t0`.`customer_id` AS INT64)
  ) AS `value_0`,
  (
    `t0`.`customer_id` IS NULL
  ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64)) AS `missing_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND NOT (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
  ) AS `problem_0_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
    AND IF(
      `t0`.`customer_id` > 0,
      (
        `t0`.`customer_id` - 1
      ) >= 9223372036854775807,
      `t0`.`customer_id` < -9223372036854775808
    )
  ) AS `problem_0_1`,
  `t0`.`Placed At` AS `raw_1`,
  IF(
    (
      `t0`.`Placed At` IS NULL
    )
    OR (
      (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
      )
      OR (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
      )
    ),
    NULL,
    CAST(`t0`.`Placed At` AS DATETIME)
  ) AS `value_1`,
  `t0`.`Placed At` IS NULL AS `missing_1`,
  NOT (
    `t0`.`Placed At` IS NULL
  )
  AND (
    (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
    )
    OR (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
    )
  ) AS `problem_1_0`,
  `t0`.`amount` AS `raw_2`,
  IF(
    (
      `t0`.`amount` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
    OR (
      ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    ),
    NULL,
    CAST(`t0`.`amount` AS FLOAT64)
  ) AS `value_2`,
  (
    `t0`.`amount` IS NULL
  ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64)) AS `missing_2`,
  NOT (
    (
      `t0`.`amount` IS NULL
    ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
  )
  AND (
    ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
  ) AS `problem_2_0`,
  `t0`.`item` AS `raw_3`,
  `t0`.`item` AS `value_3`,
  `t0`.`item` IS NULL AS `missing_3`
FROM `shop`.`orders` AS `t0`
), `mlops_checked` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`missing_0` AS `broken_0`,
  `t0`.`problem_0_0` AS `broken_1`,
  `t0`.`problem_0_1` AS `broken_2`,
  COALESCE(CAST(`t0`.`value_0` AS FLOAT64) < 1.0, FALSE) AS `broken_3`,
  `t0`.`missing_1` AS `broken_4`,
  `t0`.`problem_1_0` AS `broken_5`,
  COALESCE(
    UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) > UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)),
    FALSE
  ) AS `broken_6`,
  `t0`.`problem_2_0` AS `broken_7`,
  COALESCE(CAST(`t0`.`value_2` AS FLOAT64) > 10000.0, FALSE) AS `broken_8`,
  `t0`.`missing_3` AS `broken_9`,
  COALESCE(NOT (
    `t0`.`value_3` IN ('it\'s', 'back\\slash')
  ), FALSE) AS `broken_10`
FROM `mlops_typed` AS `t0`
), `mlops_bad` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  FALSE
  OR `t0`.`broken_0`
  OR `t0`.`broken_1`
  OR `t0`.`broken_2`
  OR `t0`.`broken_3`
  OR `t0`.`broken_4`
  OR `t0`.`broken_5`
  OR `t0`.`broken_6`
  OR `t0`.`broken_7`
  OR `t0`.`broken_8`
  OR `t0`.`broken_9`
  OR `t0`.`broken_10` AS `bad`
FROM `mlops_checked` AS `t0`
), `mlops_once` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  NOT (
    `t0`.`bad`
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY `t0`.`bad`, `t0`.`value_0`, `t0`.`value_1`
        ORDER BY `t0`.`raw_0` ASC, `t0`.`raw_1` ASC, `t0`.`raw_2` ASC, `t0`.`raw_3` ASC
      ) - 1
    ) > 0
  ) AS `broken_11`
FROM `mlops_bad` AS `t0`
), `mlops_judged` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  `t0`.`broken_11`,
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
                        CONCAT(
                          CONCAT('', IF(`t0`.`broken_0`, '; customer.nullable: is missing', '')),
                          IF(`t0`.`broken_1`, '; customer.dtype: is not an int64', '')
                        ),
                        IF(`t0`.`broken_2`, '; customer.dtype: is outside the range of int64', '')
                      ),
                      IF(`t0`.`broken_3`, '; customer.min: is below 1', '')
                    ),
                    IF(`t0`.`broken_4`, '; at.nullable: is missing', '')
                  ),
                  IF(`t0`.`broken_5`, '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IF(`t0`.`broken_6`, '; at.future: is after now', '')
              ),
              IF(`t0`.`broken_7`, '; amount.dtype: is not a finite float64', '')
            ),
            IF(`t0`.`broken_8`, '; amount.max: is above 10000', '')
          ),
          IF(`t0`.`broken_9`, '; item.nullable: is missing', '')
        ),
        IF(`t0`.`broken_10`, '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IF(`t0`.`broken_11`, '; customer+at.unique: repeats an earlier row', '')
    ),
    3
  ) AS `reason`
FROM `mlops_once` AS `t0`
)
SELECT
  `t0`.`value_0` AS `customer`,
  `t0`.`value_1` AS `at`,
  `t0`.`value_2` AS `amount`,
  `t0`.`value_3` AS `item`
FROM `mlops_judged` AS `t0`
WHERE
  `t0`.`reason` = '';

-- mlops sql orders quarantine --dialect bigquery: the rows that break the contract, as they came, with the reasons; settings 2cfdbb24f40a; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH `mlops_typed` AS (
SELECT
  `t0`.`customer_id` AS `raw_0`,
  IF(
    (
      `t0`.`customer_id` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
    OR NOT (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
    )
    OR (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
      AND IF(
        `t0`.`customer_id` > 0,
        (
          `t0`.`customer_id` - 1
        ) >= 9223372036854775807,
        `t0`.`customer_id` < -9223372036854775808
      )
    ),
    NULL,
    CAST(`t0`.`customer_id` AS INT64)
  ) AS `value_0`,
  (
    `t0`.`customer_id` IS NULL
  ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64)) AS `missing_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND NOT (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
  ) AS `problem_0_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
    AND IF(
      `t0`.`customer_id` > 0,
      (
        `t0`.`customer_id` - 1
      ) >= 9223372036854775807,
      `t0`.`customer_id` < -9223372036854775808
    )
  ) AS `problem_0_1`,
  `t0`.`Placed At` AS `raw_1`,
  IF(
    (
      `t0`.`Placed At` IS NULL
    )
    OR (
      (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
      )
      OR (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
      )
    ),
    NULL,
    CAST(`t0`.`Placed At` AS DATETIME)
  ) AS `value_1`,
  `t0`.`Placed At` IS NULL AS `missing_1`,
  NOT (
    `t0`.`Placed At` IS NULL
  )
  AND (
    (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
    )
    OR (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
    )
  ) AS `problem_1_0`,
  `t0`.`amount` AS `raw_2`,
  IF(
    (
      `t0`.`amount` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
    OR (
      ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    ),
    NULL,
    CAST(`t0`.`amount` AS FLOAT64)
  ) AS `value_2`,
  (
    `t0`.`amount` IS NULL
  ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64)) AS `missing_2`,
  NOT (
    (
      `t0`.`amount` IS NULL
    ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
  )
  AND (
    ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
  ) AS `problem_2_0`,
  `t0`.`item` AS `raw_3`,
  `t0`.`item` AS `value_3`,
  `t0`.`item` IS NULL AS `missing_3`
FROM `shop`.`orders` AS `t0`
), `mlops_checked` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`missing_0` AS `broken_0`,
  `t0`.`problem_0_0` AS `broken_1`,
  `t0`.`problem_0_1` AS `broken_2`,
  COALESCE(CAST(`t0`.`value_0` AS FLOAT64) < 1.0, FALSE) AS `broken_3`,
  `t0`.`missing_1` AS `broken_4`,
  `t0`.`problem_1_0` AS `broken_5`,
  COALESCE(
    UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) > UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)),
    FALSE
  ) AS `broken_6`,
  `t0`.`problem_2_0` AS `broken_7`,
  COALESCE(CAST(`t0`.`value_2` AS FLOAT64) > 10000.0, FALSE) AS `broken_8`,
  `t0`.`missing_3` AS `broken_9`,
  COALESCE(NOT (
    `t0`.`value_3` IN ('it\'s', 'back\\slash')
  ), FALSE) AS `broken_10`
FROM `mlops_typed` AS `t0`
), `mlops_bad` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  FALSE
  OR `t0`.`broken_0`
  OR `t0`.`broken_1`
  OR `t0`.`broken_2`
  OR `t0`.`broken_3`
  OR `t0`.`broken_4`
  OR `t0`.`broken_5`
  OR `t0`.`broken_6`
  OR `t0`.`broken_7`
  OR `t0`.`broken_8`
  OR `t0`.`broken_9`
  OR `t0`.`broken_10` AS `bad`
FROM `mlops_checked` AS `t0`
), `mlops_once` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  NOT (
    `t0`.`bad`
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY `t0`.`bad`, `t0`.`value_0`, `t0`.`value_1`
        ORDER BY `t0`.`raw_0` ASC, `t0`.`raw_1` ASC, `t0`.`raw_2` ASC, `t0`.`raw_3` ASC
      ) - 1
    ) > 0
  ) AS `broken_11`
FROM `mlops_bad` AS `t0`
), `mlops_judged` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  `t0`.`broken_11`,
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
                        CONCAT(
                          CONCAT('', IF(`t0`.`broken_0`, '; customer.nullable: is missing', '')),
                          IF(`t0`.`broken_1`, '; customer.dtype: is not an int64', '')
                        ),
                        IF(`t0`.`broken_2`, '; customer.dtype: is outside the range of int64', '')
                      ),
                      IF(`t0`.`broken_3`, '; customer.min: is below 1', '')
                    ),
                    IF(`t0`.`broken_4`, '; at.nullable: is missing', '')
                  ),
                  IF(`t0`.`broken_5`, '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IF(`t0`.`broken_6`, '; at.future: is after now', '')
              ),
              IF(`t0`.`broken_7`, '; amount.dtype: is not a finite float64', '')
            ),
            IF(`t0`.`broken_8`, '; amount.max: is above 10000', '')
          ),
          IF(`t0`.`broken_9`, '; item.nullable: is missing', '')
        ),
        IF(`t0`.`broken_10`, '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IF(`t0`.`broken_11`, '; customer+at.unique: repeats an earlier row', '')
    ),
    3
  ) AS `reason`
FROM `mlops_once` AS `t0`
)
SELECT
  `t0`.`raw_0` AS `customer`,
  `t0`.`raw_1` AS `at`,
  `t0`.`raw_2` AS `amount`,
  `t0`.`raw_3` AS `item`,
  `t0`.`reason`
FROM `mlops_judged` AS `t0`
WHERE
  `t0`.`reason` <> '';

-- mlops sql orders features --dialect bigquery: features of every entity and moment; settings 9f57ac4d0ea5; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH `mlops_typed` AS (
SELECT
  `t0`.`customer_id` AS `raw_0`,
  IF(
    (
      `t0`.`customer_id` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
    OR NOT (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
    )
    OR (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
      AND IF(
        `t0`.`customer_id` > 0,
        (
          `t0`.`customer_id` - 1
        ) >= 9223372036854775807,
        `t0`.`customer_id` < -9223372036854775808
      )
    ),
    NULL,
    CAST(`t0`.`customer_id` AS INT64)
  ) AS `value_0`,
  (
    `t0`.`customer_id` IS NULL
  ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64)) AS `missing_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND NOT (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
  ) AS `problem_0_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
    AND IF(
      `t0`.`customer_id` > 0,
      (
        `t0`.`customer_id` - 1
      ) >= 9223372036854775807,
      `t0`.`customer_id` < -9223372036854775808
    )
  ) AS `problem_0_1`,
  `t0`.`Placed At` AS `raw_1`,
  IF(
    (
      `t0`.`Placed At` IS NULL
    )
    OR (
      (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
      )
      OR (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
      )
    ),
    NULL,
    CAST(`t0`.`Placed At` AS DATETIME)
  ) AS `value_1`,
  `t0`.`Placed At` IS NULL AS `missing_1`,
  NOT (
    `t0`.`Placed At` IS NULL
  )
  AND (
    (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
    )
    OR (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
    )
  ) AS `problem_1_0`,
  `t0`.`amount` AS `raw_2`,
  IF(
    (
      `t0`.`amount` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
    OR (
      ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    ),
    NULL,
    CAST(`t0`.`amount` AS FLOAT64)
  ) AS `value_2`,
  (
    `t0`.`amount` IS NULL
  ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64)) AS `missing_2`,
  NOT (
    (
      `t0`.`amount` IS NULL
    ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
  )
  AND (
    ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
  ) AS `problem_2_0`,
  `t0`.`item` AS `raw_3`,
  `t0`.`item` AS `value_3`,
  `t0`.`item` IS NULL AS `missing_3`
FROM `shop`.`orders` AS `t0`
), `mlops_checked` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`missing_0` AS `broken_0`,
  `t0`.`problem_0_0` AS `broken_1`,
  `t0`.`problem_0_1` AS `broken_2`,
  COALESCE(CAST(`t0`.`value_0` AS FLOAT64) < 1.0, FALSE) AS `broken_3`,
  `t0`.`missing_1` AS `broken_4`,
  `t0`.`problem_1_0` AS `broken_5`,
  COALESCE(
    UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) > UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)),
    FALSE
  ) AS `broken_6`,
  `t0`.`problem_2_0` AS `broken_7`,
  COALESCE(CAST(`t0`.`value_2` AS FLOAT64) > 10000.0, FALSE) AS `broken_8`,
  `t0`.`missing_3` AS `broken_9`,
  COALESCE(NOT (
    `t0`.`value_3` IN ('it\'s', 'back\\slash')
  ), FALSE) AS `broken_10`
FROM `mlops_typed` AS `t0`
), `mlops_bad` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  FALSE
  OR `t0`.`broken_0`
  OR `t0`.`broken_1`
  OR `t0`.`broken_2`
  OR `t0`.`broken_3`
  OR `t0`.`broken_4`
  OR `t0`.`broken_5`
  OR `t0`.`broken_6`
  OR `t0`.`broken_7`
  OR `t0`.`broken_8`
  OR `t0`.`broken_9`
  OR `t0`.`broken_10` AS `bad`
FROM `mlops_checked` AS `t0`
), `mlops_once` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  NOT (
    `t0`.`bad`
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY `t0`.`bad`, `t0`.`value_0`, `t0`.`value_1`
        ORDER BY `t0`.`raw_0` ASC, `t0`.`raw_1` ASC, `t0`.`raw_2` ASC, `t0`.`raw_3` ASC
      ) - 1
    ) > 0
  ) AS `broken_11`
FROM `mlops_bad` AS `t0`
), `mlops_judged` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  `t0`.`broken_11`,
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
                        CONCAT(
                          CONCAT('', IF(`t0`.`broken_0`, '; customer.nullable: is missing', '')),
                          IF(`t0`.`broken_1`, '; customer.dtype: is not an int64', '')
                        ),
                        IF(`t0`.`broken_2`, '; customer.dtype: is outside the range of int64', '')
                      ),
                      IF(`t0`.`broken_3`, '; customer.min: is below 1', '')
                    ),
                    IF(`t0`.`broken_4`, '; at.nullable: is missing', '')
                  ),
                  IF(`t0`.`broken_5`, '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IF(`t0`.`broken_6`, '; at.future: is after now', '')
              ),
              IF(`t0`.`broken_7`, '; amount.dtype: is not a finite float64', '')
            ),
            IF(`t0`.`broken_8`, '; amount.max: is above 10000', '')
          ),
          IF(`t0`.`broken_9`, '; item.nullable: is missing', '')
        ),
        IF(`t0`.`broken_10`, '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IF(`t0`.`broken_11`, '; customer+at.unique: repeats an earlier row', '')
    ),
    3
  ) AS `reason`
FROM `mlops_once` AS `t0`
), `mlops_rows` AS (
SELECT
  `t0`.`value_0`,
  `t0`.`value_1`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `value_2`,
  `t0`.`value_3`
FROM `mlops_judged` AS `t0`
WHERE
  `t0`.`reason` = ''
), `mlops_events` AS (
SELECT
  `t0`.`value_0` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) * 1000 AS `at`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `number_0`,
  `t0`.`value_3` AS `compared_0`
FROM `mlops_rows` AS `t0`
), `mlops_moments` AS (
SELECT
  *
FROM (
  SELECT
    1706745600000000000 AS `moment`,
    DATETIME('2024-02-01T00:00:00') AS `event_timestamp`
) AS `t0`
UNION ALL
SELECT
  *
FROM (
  SELECT
    1709251200000000000 AS `moment`,
    DATETIME('2024-03-01T00:00:00') AS `event_timestamp`
) AS `t1`
), `mlops_features` AS (
SELECT
  `t4`.`entity`,
  `t4`.`moment`,
  `t4`.`event_timestamp`,
  COALESCE(CAST(COUNT(*) AS FLOAT64), 0.0) AS `wanted_0`,
  COALESCE(
    SUM(IF(`t4`.`at` >= (
      `t4`.`moment` - 2592000000000000
    ), `t4`.`number_0`, NULL)),
    0.0
  ) AS `wanted_1`,
  CAST(COUNT(DISTINCT IF(`t4`.`compared_0` IN ('it\'s'), `t4`.`compared_0`, NULL)) AS FLOAT64) AS `wanted_2`,
  ieee_divide(CAST(MAX(`t4`.`moment`) - MAX(`t4`.`at`) AS FLOAT64), 86400000000000.0) AS `wanted_3`
FROM (
  SELECT
    `t2`.`entity`,
    `t2`.`at`,
    `t2`.`number_0`,
    `t2`.`compared_0`,
    `t3`.`moment`,
    `t3`.`event_timestamp`
  FROM `mlops_events` AS `t2`
  INNER JOIN `mlops_moments` AS `t3`
    ON `t2`.`at` < `t3`.`moment`
) AS `t4`
GROUP BY
  1,
  2,
  3
)
SELECT
  `t0`.`entity` AS `customer`,
  `t0`.`event_timestamp`,
  `t0`.`wanted_0` AS `orders`,
  `t0`.`wanted_1` AS `spend_30d`,
  `t0`.`wanted_2` AS `items`,
  `t0`.`wanted_3` AS `recency`
FROM `mlops_features` AS `t0`;

-- mlops sql orders labels --dialect bigquery: the targets that are known; settings 9f57ac4d0ea5; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH `mlops_typed` AS (
SELECT
  `t0`.`customer_id` AS `raw_0`,
  IF(
    (
      `t0`.`customer_id` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
    OR NOT (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
    )
    OR (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
      AND IF(
        `t0`.`customer_id` > 0,
        (
          `t0`.`customer_id` - 1
        ) >= 9223372036854775807,
        `t0`.`customer_id` < -9223372036854775808
      )
    ),
    NULL,
    CAST(`t0`.`customer_id` AS INT64)
  ) AS `value_0`,
  (
    `t0`.`customer_id` IS NULL
  ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64)) AS `missing_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND NOT (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
  ) AS `problem_0_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
    AND IF(
      `t0`.`customer_id` > 0,
      (
        `t0`.`customer_id` - 1
      ) >= 9223372036854775807,
      `t0`.`customer_id` < -9223372036854775808
    )
  ) AS `problem_0_1`,
  `t0`.`Placed At` AS `raw_1`,
  IF(
    (
      `t0`.`Placed At` IS NULL
    )
    OR (
      (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
      )
      OR (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
      )
    ),
    NULL,
    CAST(`t0`.`Placed At` AS DATETIME)
  ) AS `value_1`,
  `t0`.`Placed At` IS NULL AS `missing_1`,
  NOT (
    `t0`.`Placed At` IS NULL
  )
  AND (
    (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
    )
    OR (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
    )
  ) AS `problem_1_0`,
  `t0`.`amount` AS `raw_2`,
  IF(
    (
      `t0`.`amount` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
    OR (
      ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    ),
    NULL,
    CAST(`t0`.`amount` AS FLOAT64)
  ) AS `value_2`,
  (
    `t0`.`amount` IS NULL
  ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64)) AS `missing_2`,
  NOT (
    (
      `t0`.`amount` IS NULL
    ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
  )
  AND (
    ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
  ) AS `problem_2_0`,
  `t0`.`item` AS `raw_3`,
  `t0`.`item` AS `value_3`,
  `t0`.`item` IS NULL AS `missing_3`
FROM `shop`.`orders` AS `t0`
), `mlops_checked` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`missing_0` AS `broken_0`,
  `t0`.`problem_0_0` AS `broken_1`,
  `t0`.`problem_0_1` AS `broken_2`,
  COALESCE(CAST(`t0`.`value_0` AS FLOAT64) < 1.0, FALSE) AS `broken_3`,
  `t0`.`missing_1` AS `broken_4`,
  `t0`.`problem_1_0` AS `broken_5`,
  COALESCE(
    UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) > UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)),
    FALSE
  ) AS `broken_6`,
  `t0`.`problem_2_0` AS `broken_7`,
  COALESCE(CAST(`t0`.`value_2` AS FLOAT64) > 10000.0, FALSE) AS `broken_8`,
  `t0`.`missing_3` AS `broken_9`,
  COALESCE(NOT (
    `t0`.`value_3` IN ('it\'s', 'back\\slash')
  ), FALSE) AS `broken_10`
FROM `mlops_typed` AS `t0`
), `mlops_bad` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  FALSE
  OR `t0`.`broken_0`
  OR `t0`.`broken_1`
  OR `t0`.`broken_2`
  OR `t0`.`broken_3`
  OR `t0`.`broken_4`
  OR `t0`.`broken_5`
  OR `t0`.`broken_6`
  OR `t0`.`broken_7`
  OR `t0`.`broken_8`
  OR `t0`.`broken_9`
  OR `t0`.`broken_10` AS `bad`
FROM `mlops_checked` AS `t0`
), `mlops_once` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  NOT (
    `t0`.`bad`
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY `t0`.`bad`, `t0`.`value_0`, `t0`.`value_1`
        ORDER BY `t0`.`raw_0` ASC, `t0`.`raw_1` ASC, `t0`.`raw_2` ASC, `t0`.`raw_3` ASC
      ) - 1
    ) > 0
  ) AS `broken_11`
FROM `mlops_bad` AS `t0`
), `mlops_judged` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  `t0`.`broken_11`,
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
                        CONCAT(
                          CONCAT('', IF(`t0`.`broken_0`, '; customer.nullable: is missing', '')),
                          IF(`t0`.`broken_1`, '; customer.dtype: is not an int64', '')
                        ),
                        IF(`t0`.`broken_2`, '; customer.dtype: is outside the range of int64', '')
                      ),
                      IF(`t0`.`broken_3`, '; customer.min: is below 1', '')
                    ),
                    IF(`t0`.`broken_4`, '; at.nullable: is missing', '')
                  ),
                  IF(`t0`.`broken_5`, '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IF(`t0`.`broken_6`, '; at.future: is after now', '')
              ),
              IF(`t0`.`broken_7`, '; amount.dtype: is not a finite float64', '')
            ),
            IF(`t0`.`broken_8`, '; amount.max: is above 10000', '')
          ),
          IF(`t0`.`broken_9`, '; item.nullable: is missing', '')
        ),
        IF(`t0`.`broken_10`, '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IF(`t0`.`broken_11`, '; customer+at.unique: repeats an earlier row', '')
    ),
    3
  ) AS `reason`
FROM `mlops_once` AS `t0`
), `mlops_rows` AS (
SELECT
  `t0`.`value_0`,
  `t0`.`value_1`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `value_2`,
  `t0`.`value_3`
FROM `mlops_judged` AS `t0`
WHERE
  `t0`.`reason` = ''
), `mlops_events` AS (
SELECT
  `t0`.`value_0` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) * 1000 AS `at`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `number_0`,
  `t0`.`value_3` AS `compared_0`
FROM `mlops_rows` AS `t0`
), `mlops_moments` AS (
SELECT
  *
FROM (
  SELECT
    1706745600000000000 AS `moment`,
    DATETIME('2024-02-01T00:00:00') AS `event_timestamp`
) AS `t0`
UNION ALL
SELECT
  *
FROM (
  SELECT
    1709251200000000000 AS `moment`,
    DATETIME('2024-03-01T00:00:00') AS `event_timestamp`
) AS `t1`
), `mlops_features` AS (
SELECT
  `t4`.`entity`,
  `t4`.`moment`,
  `t4`.`event_timestamp`,
  COALESCE(CAST(COUNT(*) AS FLOAT64), 0.0) AS `wanted_0`,
  COALESCE(
    SUM(IF(`t4`.`at` >= (
      `t4`.`moment` - 2592000000000000
    ), `t4`.`number_0`, NULL)),
    0.0
  ) AS `wanted_1`,
  CAST(COUNT(DISTINCT IF(`t4`.`compared_0` IN ('it\'s'), `t4`.`compared_0`, NULL)) AS FLOAT64) AS `wanted_2`,
  ieee_divide(CAST(MAX(`t4`.`moment`) - MAX(`t4`.`at`) AS FLOAT64), 86400000000000.0) AS `wanted_3`
FROM (
  SELECT
    `t2`.`entity`,
    `t2`.`at`,
    `t2`.`number_0`,
    `t2`.`compared_0`,
    `t3`.`moment`,
    `t3`.`event_timestamp`
  FROM `mlops_events` AS `t2`
  INNER JOIN `mlops_moments` AS `t3`
    ON `t2`.`at` < `t3`.`moment`
) AS `t4`
GROUP BY
  1,
  2,
  3
), `mlops_matured` AS (
SELECT
  `t0`.`entity` AS `whose`,
  `t0`.`moment`
FROM `mlops_features` AS `t0`
WHERE
  (
    `t0`.`moment` + 2592000000000000
  ) <= (
    SELECT
      MAX(`t1`.`at`) AS `Max_at`
    FROM `mlops_events` AS `t1`
  )
), `mlops_following` AS (
SELECT
  `t4`.`whose`,
  `t4`.`moment`,
  COALESCE(CAST(COUNTIF(`t4`.`at` IS NOT NULL) AS FLOAT64), 0.0) AS `wanted_0`
FROM (
  SELECT
    `t2`.`whose`,
    `t2`.`moment`,
    `t3`.`entity`,
    `t3`.`at`,
    `t3`.`number_0`,
    `t3`.`compared_0`
  FROM `mlops_matured` AS `t2`
  LEFT OUTER JOIN `mlops_events` AS `t3`
    ON `t2`.`whose` = `t3`.`entity`
    AND `t3`.`at` >= `t2`.`moment`
    AND `t3`.`at` < (
      `t2`.`moment` + 2592000000000000
    )
) AS `t4`
GROUP BY
  1,
  2
), `mlops_labels` AS (
SELECT
  `t0`.`whose`,
  `t0`.`moment`,
  COALESCE(
    CAST(IF(
      CAST(`t0`.`wanted_0` AS FLOAT64) >= 1.0,
      1.0,
      IF(NOT (
        CAST(`t0`.`wanted_0` AS FLOAT64) >= 1.0
      ), 0.0, NULL)
    ) AS FLOAT64),
    0.0
  ) AS `outcome`
FROM `mlops_following` AS `t0`
WHERE
  TRUE
)
SELECT
  `t3`.`entity` AS `customer`,
  `t3`.`event_timestamp`,
  `t2`.`outcome` AS `buys`
FROM `mlops_labels` AS `t2`
INNER JOIN `mlops_features` AS `t3`
  ON `t2`.`whose` = `t3`.`entity` AND `t2`.`moment` = `t3`.`moment`;

-- mlops sql orders training --dialect bigquery: features with their targets, null where not known; settings 9f57ac4d0ea5; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH `mlops_typed` AS (
SELECT
  `t0`.`customer_id` AS `raw_0`,
  IF(
    (
      `t0`.`customer_id` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
    OR NOT (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
    )
    OR (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
      AND IF(
        `t0`.`customer_id` > 0,
        (
          `t0`.`customer_id` - 1
        ) >= 9223372036854775807,
        `t0`.`customer_id` < -9223372036854775808
      )
    ),
    NULL,
    CAST(`t0`.`customer_id` AS INT64)
  ) AS `value_0`,
  (
    `t0`.`customer_id` IS NULL
  ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64)) AS `missing_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND NOT (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
  ) AS `problem_0_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
    AND IF(
      `t0`.`customer_id` > 0,
      (
        `t0`.`customer_id` - 1
      ) >= 9223372036854775807,
      `t0`.`customer_id` < -9223372036854775808
    )
  ) AS `problem_0_1`,
  `t0`.`Placed At` AS `raw_1`,
  IF(
    (
      `t0`.`Placed At` IS NULL
    )
    OR (
      (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
      )
      OR (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
      )
    ),
    NULL,
    CAST(`t0`.`Placed At` AS DATETIME)
  ) AS `value_1`,
  `t0`.`Placed At` IS NULL AS `missing_1`,
  NOT (
    `t0`.`Placed At` IS NULL
  )
  AND (
    (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
    )
    OR (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
    )
  ) AS `problem_1_0`,
  `t0`.`amount` AS `raw_2`,
  IF(
    (
      `t0`.`amount` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
    OR (
      ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    ),
    NULL,
    CAST(`t0`.`amount` AS FLOAT64)
  ) AS `value_2`,
  (
    `t0`.`amount` IS NULL
  ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64)) AS `missing_2`,
  NOT (
    (
      `t0`.`amount` IS NULL
    ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
  )
  AND (
    ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
  ) AS `problem_2_0`,
  `t0`.`item` AS `raw_3`,
  `t0`.`item` AS `value_3`,
  `t0`.`item` IS NULL AS `missing_3`
FROM `shop`.`orders` AS `t0`
), `mlops_checked` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`missing_0` AS `broken_0`,
  `t0`.`problem_0_0` AS `broken_1`,
  `t0`.`problem_0_1` AS `broken_2`,
  COALESCE(CAST(`t0`.`value_0` AS FLOAT64) < 1.0, FALSE) AS `broken_3`,
  `t0`.`missing_1` AS `broken_4`,
  `t0`.`problem_1_0` AS `broken_5`,
  COALESCE(
    UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) > UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)),
    FALSE
  ) AS `broken_6`,
  `t0`.`problem_2_0` AS `broken_7`,
  COALESCE(CAST(`t0`.`value_2` AS FLOAT64) > 10000.0, FALSE) AS `broken_8`,
  `t0`.`missing_3` AS `broken_9`,
  COALESCE(NOT (
    `t0`.`value_3` IN ('it\'s', 'back\\slash')
  ), FALSE) AS `broken_10`
FROM `mlops_typed` AS `t0`
), `mlops_bad` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  FALSE
  OR `t0`.`broken_0`
  OR `t0`.`broken_1`
  OR `t0`.`broken_2`
  OR `t0`.`broken_3`
  OR `t0`.`broken_4`
  OR `t0`.`broken_5`
  OR `t0`.`broken_6`
  OR `t0`.`broken_7`
  OR `t0`.`broken_8`
  OR `t0`.`broken_9`
  OR `t0`.`broken_10` AS `bad`
FROM `mlops_checked` AS `t0`
), `mlops_once` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  NOT (
    `t0`.`bad`
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY `t0`.`bad`, `t0`.`value_0`, `t0`.`value_1`
        ORDER BY `t0`.`raw_0` ASC, `t0`.`raw_1` ASC, `t0`.`raw_2` ASC, `t0`.`raw_3` ASC
      ) - 1
    ) > 0
  ) AS `broken_11`
FROM `mlops_bad` AS `t0`
), `mlops_judged` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  `t0`.`broken_11`,
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
                        CONCAT(
                          CONCAT('', IF(`t0`.`broken_0`, '; customer.nullable: is missing', '')),
                          IF(`t0`.`broken_1`, '; customer.dtype: is not an int64', '')
                        ),
                        IF(`t0`.`broken_2`, '; customer.dtype: is outside the range of int64', '')
                      ),
                      IF(`t0`.`broken_3`, '; customer.min: is below 1', '')
                    ),
                    IF(`t0`.`broken_4`, '; at.nullable: is missing', '')
                  ),
                  IF(`t0`.`broken_5`, '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IF(`t0`.`broken_6`, '; at.future: is after now', '')
              ),
              IF(`t0`.`broken_7`, '; amount.dtype: is not a finite float64', '')
            ),
            IF(`t0`.`broken_8`, '; amount.max: is above 10000', '')
          ),
          IF(`t0`.`broken_9`, '; item.nullable: is missing', '')
        ),
        IF(`t0`.`broken_10`, '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IF(`t0`.`broken_11`, '; customer+at.unique: repeats an earlier row', '')
    ),
    3
  ) AS `reason`
FROM `mlops_once` AS `t0`
), `mlops_rows` AS (
SELECT
  `t0`.`value_0`,
  `t0`.`value_1`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `value_2`,
  `t0`.`value_3`
FROM `mlops_judged` AS `t0`
WHERE
  `t0`.`reason` = ''
), `mlops_events` AS (
SELECT
  `t0`.`value_0` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) * 1000 AS `at`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `number_0`,
  `t0`.`value_3` AS `compared_0`
FROM `mlops_rows` AS `t0`
), `mlops_moments` AS (
SELECT
  *
FROM (
  SELECT
    1706745600000000000 AS `moment`,
    DATETIME('2024-02-01T00:00:00') AS `event_timestamp`
) AS `t0`
UNION ALL
SELECT
  *
FROM (
  SELECT
    1709251200000000000 AS `moment`,
    DATETIME('2024-03-01T00:00:00') AS `event_timestamp`
) AS `t1`
), `mlops_features` AS (
SELECT
  `t4`.`entity`,
  `t4`.`moment`,
  `t4`.`event_timestamp`,
  COALESCE(CAST(COUNT(*) AS FLOAT64), 0.0) AS `wanted_0`,
  COALESCE(
    SUM(IF(`t4`.`at` >= (
      `t4`.`moment` - 2592000000000000
    ), `t4`.`number_0`, NULL)),
    0.0
  ) AS `wanted_1`,
  CAST(COUNT(DISTINCT IF(`t4`.`compared_0` IN ('it\'s'), `t4`.`compared_0`, NULL)) AS FLOAT64) AS `wanted_2`,
  ieee_divide(CAST(MAX(`t4`.`moment`) - MAX(`t4`.`at`) AS FLOAT64), 86400000000000.0) AS `wanted_3`
FROM (
  SELECT
    `t2`.`entity`,
    `t2`.`at`,
    `t2`.`number_0`,
    `t2`.`compared_0`,
    `t3`.`moment`,
    `t3`.`event_timestamp`
  FROM `mlops_events` AS `t2`
  INNER JOIN `mlops_moments` AS `t3`
    ON `t2`.`at` < `t3`.`moment`
) AS `t4`
GROUP BY
  1,
  2,
  3
), `mlops_matured` AS (
SELECT
  `t0`.`entity` AS `whose`,
  `t0`.`moment`
FROM `mlops_features` AS `t0`
WHERE
  (
    `t0`.`moment` + 2592000000000000
  ) <= (
    SELECT
      MAX(`t1`.`at`) AS `Max_at`
    FROM `mlops_events` AS `t1`
  )
), `mlops_following` AS (
SELECT
  `t4`.`whose`,
  `t4`.`moment`,
  COALESCE(CAST(COUNTIF(`t4`.`at` IS NOT NULL) AS FLOAT64), 0.0) AS `wanted_0`
FROM (
  SELECT
    `t2`.`whose`,
    `t2`.`moment`,
    `t3`.`entity`,
    `t3`.`at`,
    `t3`.`number_0`,
    `t3`.`compared_0`
  FROM `mlops_matured` AS `t2`
  LEFT OUTER JOIN `mlops_events` AS `t3`
    ON `t2`.`whose` = `t3`.`entity`
    AND `t3`.`at` >= `t2`.`moment`
    AND `t3`.`at` < (
      `t2`.`moment` + 2592000000000000
    )
) AS `t4`
GROUP BY
  1,
  2
), `mlops_labels` AS (
SELECT
  `t0`.`whose`,
  `t0`.`moment`,
  COALESCE(
    CAST(IF(
      CAST(`t0`.`wanted_0` AS FLOAT64) >= 1.0,
      1.0,
      IF(NOT (
        CAST(`t0`.`wanted_0` AS FLOAT64) >= 1.0
      ), 0.0, NULL)
    ) AS FLOAT64),
    0.0
  ) AS `outcome`
FROM `mlops_following` AS `t0`
WHERE
  TRUE
)
SELECT
  `t2`.`entity` AS `customer`,
  `t2`.`event_timestamp`,
  `t3`.`outcome` AS `buys`,
  `t2`.`wanted_0` AS `orders`,
  `t2`.`wanted_1` AS `spend_30d`,
  `t2`.`wanted_2` AS `items`,
  `t2`.`wanted_3` AS `recency`
FROM `mlops_features` AS `t2`
LEFT OUTER JOIN `mlops_labels` AS `t3`
  ON `t2`.`entity` = `t3`.`whose` AND `t2`.`moment` = `t3`.`moment`;

-- mlops sql orders scoring --dialect bigquery: of every entity the newest features, if they may still be served; settings 9f57ac4d0ea5; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH `mlops_typed` AS (
SELECT
  `t0`.`customer_id` AS `raw_0`,
  IF(
    (
      `t0`.`customer_id` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
    OR NOT (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
    )
    OR (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
      AND IF(
        `t0`.`customer_id` > 0,
        (
          `t0`.`customer_id` - 1
        ) >= 9223372036854775807,
        `t0`.`customer_id` < -9223372036854775808
      )
    ),
    NULL,
    CAST(`t0`.`customer_id` AS INT64)
  ) AS `value_0`,
  (
    `t0`.`customer_id` IS NULL
  ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64)) AS `missing_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND NOT (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
  ) AS `problem_0_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
    AND IF(
      `t0`.`customer_id` > 0,
      (
        `t0`.`customer_id` - 1
      ) >= 9223372036854775807,
      `t0`.`customer_id` < -9223372036854775808
    )
  ) AS `problem_0_1`,
  `t0`.`Placed At` AS `raw_1`,
  IF(
    (
      `t0`.`Placed At` IS NULL
    )
    OR (
      (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
      )
      OR (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
      )
    ),
    NULL,
    CAST(`t0`.`Placed At` AS DATETIME)
  ) AS `value_1`,
  `t0`.`Placed At` IS NULL AS `missing_1`,
  NOT (
    `t0`.`Placed At` IS NULL
  )
  AND (
    (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
    )
    OR (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
    )
  ) AS `problem_1_0`,
  `t0`.`amount` AS `raw_2`,
  IF(
    (
      `t0`.`amount` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
    OR (
      ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    ),
    NULL,
    CAST(`t0`.`amount` AS FLOAT64)
  ) AS `value_2`,
  (
    `t0`.`amount` IS NULL
  ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64)) AS `missing_2`,
  NOT (
    (
      `t0`.`amount` IS NULL
    ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
  )
  AND (
    ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
  ) AS `problem_2_0`,
  `t0`.`item` AS `raw_3`,
  `t0`.`item` AS `value_3`,
  `t0`.`item` IS NULL AS `missing_3`
FROM `shop`.`orders` AS `t0`
), `mlops_checked` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`missing_0` AS `broken_0`,
  `t0`.`problem_0_0` AS `broken_1`,
  `t0`.`problem_0_1` AS `broken_2`,
  COALESCE(CAST(`t0`.`value_0` AS FLOAT64) < 1.0, FALSE) AS `broken_3`,
  `t0`.`missing_1` AS `broken_4`,
  `t0`.`problem_1_0` AS `broken_5`,
  COALESCE(
    UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) > UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)),
    FALSE
  ) AS `broken_6`,
  `t0`.`problem_2_0` AS `broken_7`,
  COALESCE(CAST(`t0`.`value_2` AS FLOAT64) > 10000.0, FALSE) AS `broken_8`,
  `t0`.`missing_3` AS `broken_9`,
  COALESCE(NOT (
    `t0`.`value_3` IN ('it\'s', 'back\\slash')
  ), FALSE) AS `broken_10`
FROM `mlops_typed` AS `t0`
), `mlops_bad` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  FALSE
  OR `t0`.`broken_0`
  OR `t0`.`broken_1`
  OR `t0`.`broken_2`
  OR `t0`.`broken_3`
  OR `t0`.`broken_4`
  OR `t0`.`broken_5`
  OR `t0`.`broken_6`
  OR `t0`.`broken_7`
  OR `t0`.`broken_8`
  OR `t0`.`broken_9`
  OR `t0`.`broken_10` AS `bad`
FROM `mlops_checked` AS `t0`
), `mlops_once` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  NOT (
    `t0`.`bad`
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY `t0`.`bad`, `t0`.`value_0`, `t0`.`value_1`
        ORDER BY `t0`.`raw_0` ASC, `t0`.`raw_1` ASC, `t0`.`raw_2` ASC, `t0`.`raw_3` ASC
      ) - 1
    ) > 0
  ) AS `broken_11`
FROM `mlops_bad` AS `t0`
), `mlops_judged` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  `t0`.`broken_11`,
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
                        CONCAT(
                          CONCAT('', IF(`t0`.`broken_0`, '; customer.nullable: is missing', '')),
                          IF(`t0`.`broken_1`, '; customer.dtype: is not an int64', '')
                        ),
                        IF(`t0`.`broken_2`, '; customer.dtype: is outside the range of int64', '')
                      ),
                      IF(`t0`.`broken_3`, '; customer.min: is below 1', '')
                    ),
                    IF(`t0`.`broken_4`, '; at.nullable: is missing', '')
                  ),
                  IF(`t0`.`broken_5`, '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IF(`t0`.`broken_6`, '; at.future: is after now', '')
              ),
              IF(`t0`.`broken_7`, '; amount.dtype: is not a finite float64', '')
            ),
            IF(`t0`.`broken_8`, '; amount.max: is above 10000', '')
          ),
          IF(`t0`.`broken_9`, '; item.nullable: is missing', '')
        ),
        IF(`t0`.`broken_10`, '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IF(`t0`.`broken_11`, '; customer+at.unique: repeats an earlier row', '')
    ),
    3
  ) AS `reason`
FROM `mlops_once` AS `t0`
), `mlops_rows` AS (
SELECT
  `t0`.`value_0`,
  `t0`.`value_1`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `value_2`,
  `t0`.`value_3`
FROM `mlops_judged` AS `t0`
WHERE
  `t0`.`reason` = ''
), `mlops_events` AS (
SELECT
  `t0`.`value_0` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) * 1000 AS `at`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `number_0`,
  `t0`.`value_3` AS `compared_0`
FROM `mlops_rows` AS `t0`
), `mlops_moments` AS (
SELECT
  *
FROM (
  SELECT
    1706745600000000000 AS `moment`,
    DATETIME('2024-02-01T00:00:00') AS `event_timestamp`
) AS `t0`
UNION ALL
SELECT
  *
FROM (
  SELECT
    1709251200000000000 AS `moment`,
    DATETIME('2024-03-01T00:00:00') AS `event_timestamp`
) AS `t1`
), `mlops_features` AS (
SELECT
  `t4`.`entity`,
  `t4`.`moment`,
  `t4`.`event_timestamp`,
  COALESCE(CAST(COUNT(*) AS FLOAT64), 0.0) AS `wanted_0`,
  COALESCE(
    SUM(IF(`t4`.`at` >= (
      `t4`.`moment` - 2592000000000000
    ), `t4`.`number_0`, NULL)),
    0.0
  ) AS `wanted_1`,
  CAST(COUNT(DISTINCT IF(`t4`.`compared_0` IN ('it\'s'), `t4`.`compared_0`, NULL)) AS FLOAT64) AS `wanted_2`,
  ieee_divide(CAST(MAX(`t4`.`moment`) - MAX(`t4`.`at`) AS FLOAT64), 86400000000000.0) AS `wanted_3`
FROM (
  SELECT
    `t2`.`entity`,
    `t2`.`at`,
    `t2`.`number_0`,
    `t2`.`compared_0`,
    `t3`.`moment`,
    `t3`.`event_timestamp`
  FROM `mlops_events` AS `t2`
  INNER JOIN `mlops_moments` AS `t3`
    ON `t2`.`at` < `t3`.`moment`
) AS `t4`
GROUP BY
  1,
  2,
  3
), `mlops_named` AS (
SELECT
  `t0`.`entity` AS `customer`,
  `t0`.`event_timestamp`,
  `t0`.`wanted_0` AS `orders`,
  `t0`.`wanted_1` AS `spend_30d`,
  `t0`.`wanted_2` AS `items`,
  `t0`.`wanted_3` AS `recency`
FROM `mlops_features` AS `t0`
), `mlops_known` AS (
SELECT
  `t0`.`customer` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`event_timestamp` AS TIMESTAMP)) AS `at`,
  `t0`.`customer` AS `known_0`,
  `t0`.`event_timestamp` AS `known_1`,
  `t0`.`orders` AS `known_2`,
  `t0`.`spend_30d` AS `known_3`,
  `t0`.`items` AS `known_4`,
  `t0`.`recency` AS `known_5`
FROM `mlops_named` AS `t0`
)
SELECT
  `t3`.`known_0` AS `customer`,
  `t3`.`known_1` AS `event_timestamp`,
  `t3`.`known_2` AS `orders`,
  `t3`.`known_3` AS `spend_30d`,
  `t3`.`known_4` AS `items`,
  `t3`.`known_5` AS `recency`
FROM (
  SELECT
    *
  FROM (
    SELECT
      `t1`.`entity`,
      `t1`.`at`,
      `t1`.`known_0`,
      `t1`.`known_1`,
      `t1`.`known_2`,
      `t1`.`known_3`,
      `t1`.`known_4`,
      `t1`.`known_5`
    FROM (
      SELECT
        `t0`.`entity`,
        `t0`.`at`,
        `t0`.`known_0`,
        `t0`.`known_1`,
        `t0`.`known_2`,
        `t0`.`known_3`,
        `t0`.`known_4`,
        `t0`.`known_5`,
        ROW_NUMBER() OVER (PARTITION BY `t0`.`entity` ORDER BY `t0`.`at` DESC) - 1 AS `mlops_place`
      FROM `mlops_known` AS `t0`
    ) AS `t1`
    WHERE
      `t1`.`mlops_place` = 0
  ) AS `t2`
  WHERE
    `t2`.`at` >= (
      UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)) - 2678400000000
    )
) AS `t3`;

-- mlops sql orders profile --dialect bigquery: how many of those lie in each bin of a version's profile; settings 9f57ac4d0ea5; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH `mlops_typed` AS (
SELECT
  `t0`.`customer_id` AS `raw_0`,
  IF(
    (
      `t0`.`customer_id` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
    OR NOT (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
    )
    OR (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
      AND IF(
        `t0`.`customer_id` > 0,
        (
          `t0`.`customer_id` - 1
        ) >= 9223372036854775807,
        `t0`.`customer_id` < -9223372036854775808
      )
    ),
    NULL,
    CAST(`t0`.`customer_id` AS INT64)
  ) AS `value_0`,
  (
    `t0`.`customer_id` IS NULL
  ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64)) AS `missing_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND NOT (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
  ) AS `problem_0_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
    AND IF(
      `t0`.`customer_id` > 0,
      (
        `t0`.`customer_id` - 1
      ) >= 9223372036854775807,
      `t0`.`customer_id` < -9223372036854775808
    )
  ) AS `problem_0_1`,
  `t0`.`Placed At` AS `raw_1`,
  IF(
    (
      `t0`.`Placed At` IS NULL
    )
    OR (
      (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
      )
      OR (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
      )
    ),
    NULL,
    CAST(`t0`.`Placed At` AS DATETIME)
  ) AS `value_1`,
  `t0`.`Placed At` IS NULL AS `missing_1`,
  NOT (
    `t0`.`Placed At` IS NULL
  )
  AND (
    (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
    )
    OR (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
    )
  ) AS `problem_1_0`,
  `t0`.`amount` AS `raw_2`,
  IF(
    (
      `t0`.`amount` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
    OR (
      ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    ),
    NULL,
    CAST(`t0`.`amount` AS FLOAT64)
  ) AS `value_2`,
  (
    `t0`.`amount` IS NULL
  ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64)) AS `missing_2`,
  NOT (
    (
      `t0`.`amount` IS NULL
    ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
  )
  AND (
    ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
  ) AS `problem_2_0`,
  `t0`.`item` AS `raw_3`,
  `t0`.`item` AS `value_3`,
  `t0`.`item` IS NULL AS `missing_3`
FROM `shop`.`orders` AS `t0`
), `mlops_checked` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`missing_0` AS `broken_0`,
  `t0`.`problem_0_0` AS `broken_1`,
  `t0`.`problem_0_1` AS `broken_2`,
  COALESCE(CAST(`t0`.`value_0` AS FLOAT64) < 1.0, FALSE) AS `broken_3`,
  `t0`.`missing_1` AS `broken_4`,
  `t0`.`problem_1_0` AS `broken_5`,
  COALESCE(
    UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) > UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)),
    FALSE
  ) AS `broken_6`,
  `t0`.`problem_2_0` AS `broken_7`,
  COALESCE(CAST(`t0`.`value_2` AS FLOAT64) > 10000.0, FALSE) AS `broken_8`,
  `t0`.`missing_3` AS `broken_9`,
  COALESCE(NOT (
    `t0`.`value_3` IN ('it\'s', 'back\\slash')
  ), FALSE) AS `broken_10`
FROM `mlops_typed` AS `t0`
), `mlops_bad` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  FALSE
  OR `t0`.`broken_0`
  OR `t0`.`broken_1`
  OR `t0`.`broken_2`
  OR `t0`.`broken_3`
  OR `t0`.`broken_4`
  OR `t0`.`broken_5`
  OR `t0`.`broken_6`
  OR `t0`.`broken_7`
  OR `t0`.`broken_8`
  OR `t0`.`broken_9`
  OR `t0`.`broken_10` AS `bad`
FROM `mlops_checked` AS `t0`
), `mlops_once` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  NOT (
    `t0`.`bad`
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY `t0`.`bad`, `t0`.`value_0`, `t0`.`value_1`
        ORDER BY `t0`.`raw_0` ASC, `t0`.`raw_1` ASC, `t0`.`raw_2` ASC, `t0`.`raw_3` ASC
      ) - 1
    ) > 0
  ) AS `broken_11`
FROM `mlops_bad` AS `t0`
), `mlops_judged` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  `t0`.`broken_11`,
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
                        CONCAT(
                          CONCAT('', IF(`t0`.`broken_0`, '; customer.nullable: is missing', '')),
                          IF(`t0`.`broken_1`, '; customer.dtype: is not an int64', '')
                        ),
                        IF(`t0`.`broken_2`, '; customer.dtype: is outside the range of int64', '')
                      ),
                      IF(`t0`.`broken_3`, '; customer.min: is below 1', '')
                    ),
                    IF(`t0`.`broken_4`, '; at.nullable: is missing', '')
                  ),
                  IF(`t0`.`broken_5`, '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IF(`t0`.`broken_6`, '; at.future: is after now', '')
              ),
              IF(`t0`.`broken_7`, '; amount.dtype: is not a finite float64', '')
            ),
            IF(`t0`.`broken_8`, '; amount.max: is above 10000', '')
          ),
          IF(`t0`.`broken_9`, '; item.nullable: is missing', '')
        ),
        IF(`t0`.`broken_10`, '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IF(`t0`.`broken_11`, '; customer+at.unique: repeats an earlier row', '')
    ),
    3
  ) AS `reason`
FROM `mlops_once` AS `t0`
), `mlops_rows` AS (
SELECT
  `t0`.`value_0`,
  `t0`.`value_1`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `value_2`,
  `t0`.`value_3`
FROM `mlops_judged` AS `t0`
WHERE
  `t0`.`reason` = ''
), `mlops_events` AS (
SELECT
  `t0`.`value_0` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) * 1000 AS `at`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `number_0`,
  `t0`.`value_3` AS `compared_0`
FROM `mlops_rows` AS `t0`
), `mlops_moments` AS (
SELECT
  *
FROM (
  SELECT
    1706745600000000000 AS `moment`,
    DATETIME('2024-02-01T00:00:00') AS `event_timestamp`
) AS `t0`
UNION ALL
SELECT
  *
FROM (
  SELECT
    1709251200000000000 AS `moment`,
    DATETIME('2024-03-01T00:00:00') AS `event_timestamp`
) AS `t1`
), `mlops_features` AS (
SELECT
  `t4`.`entity`,
  `t4`.`moment`,
  `t4`.`event_timestamp`,
  COALESCE(CAST(COUNT(*) AS FLOAT64), 0.0) AS `wanted_0`,
  COALESCE(
    SUM(IF(`t4`.`at` >= (
      `t4`.`moment` - 2592000000000000
    ), `t4`.`number_0`, NULL)),
    0.0
  ) AS `wanted_1`,
  CAST(COUNT(DISTINCT IF(`t4`.`compared_0` IN ('it\'s'), `t4`.`compared_0`, NULL)) AS FLOAT64) AS `wanted_2`,
  ieee_divide(CAST(MAX(`t4`.`moment`) - MAX(`t4`.`at`) AS FLOAT64), 86400000000000.0) AS `wanted_3`
FROM (
  SELECT
    `t2`.`entity`,
    `t2`.`at`,
    `t2`.`number_0`,
    `t2`.`compared_0`,
    `t3`.`moment`,
    `t3`.`event_timestamp`
  FROM `mlops_events` AS `t2`
  INNER JOIN `mlops_moments` AS `t3`
    ON `t2`.`at` < `t3`.`moment`
) AS `t4`
GROUP BY
  1,
  2,
  3
), `mlops_named` AS (
SELECT
  `t0`.`entity` AS `customer`,
  `t0`.`event_timestamp`,
  `t0`.`wanted_0` AS `orders`,
  `t0`.`wanted_1` AS `spend_30d`,
  `t0`.`wanted_2` AS `items`,
  `t0`.`wanted_3` AS `recency`
FROM `mlops_features` AS `t0`
), `mlops_known` AS (
SELECT
  `t0`.`customer` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`event_timestamp` AS TIMESTAMP)) AS `at`,
  `t0`.`customer` AS `known_0`,
  `t0`.`event_timestamp` AS `known_1`,
  `t0`.`orders` AS `known_2`,
  `t0`.`spend_30d` AS `known_3`,
  `t0`.`items` AS `known_4`,
  `t0`.`recency` AS `known_5`
FROM `mlops_named` AS `t0`
), `mlops_newest` AS (
SELECT
  *
FROM (
  SELECT
    `t1`.`entity`,
    `t1`.`at`,
    `t1`.`known_0`,
    `t1`.`known_1`,
    `t1`.`known_2`,
    `t1`.`known_3`,
    `t1`.`known_4`,
    `t1`.`known_5`
  FROM (
    SELECT
      `t0`.`entity`,
      `t0`.`at`,
      `t0`.`known_0`,
      `t0`.`known_1`,
      `t0`.`known_2`,
      `t0`.`known_3`,
      `t0`.`known_4`,
      `t0`.`known_5`,
      ROW_NUMBER() OVER (PARTITION BY `t0`.`entity` ORDER BY `t0`.`at` DESC) - 1 AS `mlops_place`
    FROM `mlops_known` AS `t0`
  ) AS `t1`
  WHERE
    `t1`.`mlops_place` = 0
) AS `t2`
WHERE
  `t2`.`at` >= (
    UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)) - 2678400000000
  )
)
SELECT
  'orders' AS `feature`,
  `t2`.`bin`,
  `t2`.`counted`,
  `t2`.`total`,
  `t2`.`lowest`,
  `t2`.`highest`
FROM (
  SELECT
    `t1`.`bin`,
    COUNT(*) AS `counted`,
    SUM(`t1`.`number`) AS `total`,
    MIN(`t1`.`number`) AS `lowest`,
    MAX(`t1`.`number`) AS `highest`
  FROM (
    SELECT
      IF(
        `t0`.`known_2` IS NULL,
        NULL,
        IF(
          (
            `t0`.`known_2` >= -1E-9
          ) AND (
            `t0`.`known_2` <= 1e-09
          ),
          0,
          1 + IF(`t0`.`known_2` >= 0.999999999, 1, 0) + IF(`t0`.`known_2` >= 2.499999999, 1, 0)
        )
      ) AS `bin`,
      `t0`.`known_2` AS `number`
    FROM `mlops_newest` AS `t0`
  ) AS `t1`
  GROUP BY
    1
) AS `t2`;

-- mlops sql orders features --dialect bigquery: features of every entity and moment; settings 9f57ac4d0ea5; the SQL of this dialect is only compiled, never run
-- of a table with the columns customer_id int64, Placed At datetime, amount float64, item string; datetimes are without a zone, UTC
WITH `mlops_typed` AS (
SELECT
  `t0`.`customer_id` AS `raw_0`,
  IF(
    (
      `t0`.`customer_id` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
    OR NOT (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
    )
    OR (
      NOT (
        ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
      )
      AND (
        `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
      )
      AND IF(
        `t0`.`customer_id` > 0,
        (
          `t0`.`customer_id` - 1
        ) >= 9223372036854775807,
        `t0`.`customer_id` < -9223372036854775808
      )
    ),
    NULL,
    CAST(`t0`.`customer_id` AS INT64)
  ) AS `value_0`,
  (
    `t0`.`customer_id` IS NULL
  ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64)) AS `missing_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND NOT (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
  ) AS `problem_0_0`,
  NOT (
    (
      `t0`.`customer_id` IS NULL
    ) OR IS_NAN(CAST(`t0`.`customer_id` AS FLOAT64))
  )
  AND (
    NOT (
      ABS(CAST(`t0`.`customer_id` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    )
    AND (
      `t0`.`customer_id` = FLOOR(`t0`.`customer_id`)
    )
    AND IF(
      `t0`.`customer_id` > 0,
      (
        `t0`.`customer_id` - 1
      ) >= 9223372036854775807,
      `t0`.`customer_id` < -9223372036854775808
    )
  ) AS `problem_0_1`,
  `t0`.`Placed At` AS `raw_1`,
  IF(
    (
      `t0`.`Placed At` IS NULL
    )
    OR (
      (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
      )
      OR (
        UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
      )
    ),
    NULL,
    CAST(`t0`.`Placed At` AS DATETIME)
  ) AS `value_1`,
  `t0`.`Placed At` IS NULL AS `missing_1`,
  NOT (
    `t0`.`Placed At` IS NULL
  )
  AND (
    (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) < -9223286400000000
    )
    OR (
      UNIX_MICROS(CAST(CAST(`t0`.`Placed At` AS DATETIME) AS TIMESTAMP)) >= 9223286400000000
    )
  ) AS `problem_1_0`,
  `t0`.`amount` AS `raw_2`,
  IF(
    (
      `t0`.`amount` IS NULL
    )
    OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
    OR (
      ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
    ),
    NULL,
    CAST(`t0`.`amount` AS FLOAT64)
  ) AS `value_2`,
  (
    `t0`.`amount` IS NULL
  ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64)) AS `missing_2`,
  NOT (
    (
      `t0`.`amount` IS NULL
    ) OR IS_NAN(CAST(`t0`.`amount` AS FLOAT64))
  )
  AND (
    ABS(CAST(`t0`.`amount` AS FLOAT64)) = CAST('Infinity' AS FLOAT64)
  ) AS `problem_2_0`,
  `t0`.`item` AS `raw_3`,
  `t0`.`item` AS `value_3`,
  `t0`.`item` IS NULL AS `missing_3`
FROM `shop`.`orders` AS `t0`
), `mlops_checked` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`missing_0` AS `broken_0`,
  `t0`.`problem_0_0` AS `broken_1`,
  `t0`.`problem_0_1` AS `broken_2`,
  COALESCE(CAST(`t0`.`value_0` AS FLOAT64) < 1.0, FALSE) AS `broken_3`,
  `t0`.`missing_1` AS `broken_4`,
  `t0`.`problem_1_0` AS `broken_5`,
  COALESCE(
    UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) > UNIX_MICROS(CAST(CURRENT_TIMESTAMP() AS TIMESTAMP)),
    FALSE
  ) AS `broken_6`,
  `t0`.`problem_2_0` AS `broken_7`,
  COALESCE(CAST(`t0`.`value_2` AS FLOAT64) > 10000.0, FALSE) AS `broken_8`,
  `t0`.`missing_3` AS `broken_9`,
  COALESCE(NOT (
    `t0`.`value_3` IN ('it\'s', 'back\\slash')
  ), FALSE) AS `broken_10`
FROM `mlops_typed` AS `t0`
), `mlops_bad` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  FALSE
  OR `t0`.`broken_0`
  OR `t0`.`broken_1`
  OR `t0`.`broken_2`
  OR `t0`.`broken_3`
  OR `t0`.`broken_4`
  OR `t0`.`broken_5`
  OR `t0`.`broken_6`
  OR `t0`.`broken_7`
  OR `t0`.`broken_8`
  OR `t0`.`broken_9`
  OR `t0`.`broken_10` AS `bad`
FROM `mlops_checked` AS `t0`
), `mlops_once` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  NOT (
    `t0`.`bad`
  )
  AND (
    (
      ROW_NUMBER() OVER (
        PARTITION BY `t0`.`bad`, `t0`.`value_0`, `t0`.`value_1`
        ORDER BY `t0`.`raw_0` ASC, `t0`.`raw_1` ASC, `t0`.`raw_2` ASC, `t0`.`raw_3` ASC
      ) - 1
    ) > 0
  ) AS `broken_11`
FROM `mlops_bad` AS `t0`
), `mlops_judged` AS (
SELECT
  `t0`.`raw_0`,
  `t0`.`raw_1`,
  `t0`.`raw_2`,
  `t0`.`raw_3`,
  `t0`.`value_0`,
  `t0`.`value_1`,
  `t0`.`value_2`,
  `t0`.`value_3`,
  `t0`.`broken_0`,
  `t0`.`broken_1`,
  `t0`.`broken_2`,
  `t0`.`broken_3`,
  `t0`.`broken_4`,
  `t0`.`broken_5`,
  `t0`.`broken_6`,
  `t0`.`broken_7`,
  `t0`.`broken_8`,
  `t0`.`broken_9`,
  `t0`.`broken_10`,
  `t0`.`broken_11`,
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
                        CONCAT(
                          CONCAT('', IF(`t0`.`broken_0`, '; customer.nullable: is missing', '')),
                          IF(`t0`.`broken_1`, '; customer.dtype: is not an int64', '')
                        ),
                        IF(`t0`.`broken_2`, '; customer.dtype: is outside the range of int64', '')
                      ),
                      IF(`t0`.`broken_3`, '; customer.min: is below 1', '')
                    ),
                    IF(`t0`.`broken_4`, '; at.nullable: is missing', '')
                  ),
                  IF(`t0`.`broken_5`, '; at.dtype: is not a datetime between the years 1678 and 2262', '')
                ),
                IF(`t0`.`broken_6`, '; at.future: is after now', '')
              ),
              IF(`t0`.`broken_7`, '; amount.dtype: is not a finite float64', '')
            ),
            IF(`t0`.`broken_8`, '; amount.max: is above 10000', '')
          ),
          IF(`t0`.`broken_9`, '; item.nullable: is missing', '')
        ),
        IF(`t0`.`broken_10`, '; item.allowed: is not one of "it\'s", \'back\\\\slash\'', '')
      ),
      IF(`t0`.`broken_11`, '; customer+at.unique: repeats an earlier row', '')
    ),
    3
  ) AS `reason`
FROM `mlops_once` AS `t0`
), `mlops_rows` AS (
SELECT
  `t0`.`value_0`,
  `t0`.`value_1`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `value_2`,
  `t0`.`value_3`
FROM `mlops_judged` AS `t0`
WHERE
  `t0`.`reason` = ''
), `mlops_events` AS (
SELECT
  `t0`.`value_0` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`value_1` AS TIMESTAMP)) * 1000 AS `at`,
  CAST(`t0`.`value_2` AS FLOAT64) AS `number_0`,
  `t0`.`value_3` AS `compared_0`
FROM `mlops_rows` AS `t0`
), `mlops_moments` AS (
SELECT
  *
FROM (
  SELECT
    1706745600000000000 AS `moment`,
    DATETIME('2024-02-01T00:00:00') AS `event_timestamp`
) AS `t0`
UNION ALL
SELECT
  *
FROM (
  SELECT
    1709251200000000000 AS `moment`,
    DATETIME('2024-03-01T00:00:00') AS `event_timestamp`
) AS `t1`
), `mlops_features` AS (
SELECT
  `t4`.`entity`,
  `t4`.`moment`,
  `t4`.`event_timestamp`,
  COALESCE(CAST(COUNT(*) AS FLOAT64), 0.0) AS `wanted_0`,
  COALESCE(
    SUM(IF(`t4`.`at` >= (
      `t4`.`moment` - 2592000000000000
    ), `t4`.`number_0`, NULL)),
    0.0
  ) AS `wanted_1`,
  CAST(COUNT(DISTINCT IF(`t4`.`compared_0` IN ('it\'s'), `t4`.`compared_0`, NULL)) AS FLOAT64) AS `wanted_2`,
  ieee_divide(CAST(MAX(`t4`.`moment`) - MAX(`t4`.`at`) AS FLOAT64), 86400000000000.0) AS `wanted_3`
FROM (
  SELECT
    `t2`.`entity`,
    `t2`.`at`,
    `t2`.`number_0`,
    `t2`.`compared_0`,
    `t3`.`moment`,
    `t3`.`event_timestamp`
  FROM `mlops_events` AS `t2`
  INNER JOIN `mlops_moments` AS `t3`
    ON `t2`.`at` < `t3`.`moment`
) AS `t4`
GROUP BY
  1,
  2,
  3
), `mlops_asked` AS (
SELECT
  `t0`.`customer` AS `whose`,
  UNIX_MICROS(CAST(`t0`.`event_timestamp` AS TIMESTAMP)) AS `asked_at`,
  `t0`.`event_timestamp` AS `moment`
FROM `shop`.`mailings` AS `t0`
), `mlops_named` AS (
SELECT
  `t0`.`entity` AS `customer`,
  `t0`.`event_timestamp`,
  `t0`.`wanted_0` AS `orders`,
  `t0`.`wanted_1` AS `spend_30d`,
  `t0`.`wanted_2` AS `items`,
  `t0`.`wanted_3` AS `recency`
FROM `mlops_features` AS `t0`
), `mlops_known` AS (
SELECT
  `t0`.`customer` AS `entity`,
  UNIX_MICROS(CAST(`t0`.`event_timestamp` AS TIMESTAMP)) AS `at`,
  `t0`.`customer` AS `known_0`,
  `t0`.`event_timestamp` AS `known_1`,
  `t0`.`orders` AS `known_2`,
  `t0`.`spend_30d` AS `known_3`,
  `t0`.`items` AS `known_4`,
  `t0`.`recency` AS `known_5`
FROM `mlops_named` AS `t0`
)
SELECT
  `t6`.`whose` AS `customer`,
  `t6`.`moment` AS `event_timestamp`,
  `t6`.`known_1` AS `features_as_of`,
  `t6`.`known_2` AS `orders`,
  `t6`.`known_3` AS `spend_30d`,
  `t6`.`known_4` AS `items`,
  `t6`.`known_5` AS `recency`
FROM (
  SELECT
    `t5`.`whose`,
    `t5`.`asked_at`,
    `t5`.`moment`,
    `t5`.`entity`,
    `t5`.`at`,
    `t5`.`known_0`,
    `t5`.`known_1`,
    `t5`.`known_2`,
    `t5`.`known_3`,
    `t5`.`known_4`,
    `t5`.`known_5`,
    ROW_NUMBER() OVER (PARTITION BY `t5`.`whose`, `t5`.`asked_at`, `t5`.`moment` ORDER BY `t5`.`at` DESC) - 1 AS `mlops_place`
  FROM (
    SELECT
      `t4`.`whose`,
      `t4`.`asked_at`,
      `t4`.`moment`,
      `t2`.`entity`,
      `t2`.`at`,
      `t2`.`known_0`,
      `t2`.`known_1`,
      `t2`.`known_2`,
      `t2`.`known_3`,
      `t2`.`known_4`,
      `t2`.`known_5`
    FROM (
      SELECT DISTINCT
        *
      FROM `mlops_asked` AS `t0`
    ) AS `t4`
    LEFT OUTER JOIN `mlops_known` AS `t2`
      ON `t4`.`whose` = `t2`.`entity`
      AND `t2`.`at` <= `t4`.`asked_at`
      AND `t2`.`at` >= (
        `t4`.`asked_at` - 2678400000000
      )
  ) AS `t5`
) AS `t6`
WHERE
  `t6`.`mlops_place` = 0;
