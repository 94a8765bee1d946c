-- crowds, for athena: made by 'make sql' from features/; a change here is lost
SELECT
  member,
  principal
FROM (
  SELECT
    member,
    principal,
    COUNT(*) OVER (PARTITION BY principal) AS members
  FROM (
    SELECT
      n.principal AS member,
      CONCAT(
        CAST('crowd:' AS VARCHAR),
        CAST(CASE
          WHEN n.principal LIKE 'iam-role:%/%'
          THEN SPLIT_PART(n.principal, '/', 1)
          ELSE n.type
        END AS VARCHAR)
      ) AS principal
    FROM (
      SELECT DISTINCT
        principal,
        type
      FROM tallies
      WHERE
        grain = 'alike'
    ) AS n
    LEFT JOIN (
      SELECT DISTINCT
        principal,
        TRUE AS known
      FROM past_items
    ) AS p
      ON p.principal = n.principal
    WHERE
      p.known IS NULL
  ) AS newcomers
) AS counted
WHERE
  members > CASE WHEN principal LIKE 'crowd:iam-role:%' THEN 1000 ELSE 10000 END
