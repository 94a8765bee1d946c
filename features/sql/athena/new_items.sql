-- new_items, for athena: made by 'make sql' from features/; a change here is lost
WITH started AS (
  SELECT
    t.*,
    by_type.known IS NULL AS for_type,
    by_kind.known IS NULL AS for_cluster,
    t.kind = 'client'
    AND by_agent.known IS NULL
    AND (
      NOT by_past.known IS NULL OR t.type IN ('workload', 'system account')
    ) AS foreign_here,
    t.kind = 'token_account' AND NOT by_past.known IS NULL AS minted,
    CASE
      WHEN by_past.known IS NULL AND (
        SELECT
          COUNT(*)
        FROM past_items
      ) > 0
      THEN 1
      ELSE 0
    END AS newcomer
  FROM items AS t
  LEFT JOIN (
    SELECT DISTINCT
      principal,
      kind,
      item,
      TRUE AS known
    FROM past_items
  ) AS by_principal
    ON by_principal.principal = t.principal
    AND by_principal.kind = t.kind
    AND by_principal.item = t.item
  LEFT JOIN (
    SELECT DISTINCT
      type,
      kind,
      item,
      TRUE AS known
    FROM past_items
  ) AS by_type
    ON by_type.type = t.type AND by_type.kind = t.kind AND by_type.item = t.item
  LEFT JOIN (
    SELECT DISTINCT
      kind,
      item,
      TRUE AS known
    FROM past_items
  ) AS by_kind
    ON by_kind.kind = t.kind AND by_kind.item = t.item
  LEFT JOIN (
    SELECT DISTINCT
      principal,
      TRUE AS known
    FROM past_items
  ) AS by_past
    ON by_past.principal = t.principal
  LEFT JOIN (
    SELECT DISTINCT
      principal,
      item,
      TRUE AS known
    FROM past_items
    WHERE
      kind = 'agent'
  ) AS by_agent
    ON by_agent.principal = t.principal AND by_agent.item = SPLIT_PART(t.item, ' ', 1)
  WHERE
    by_principal.known IS NULL
), starters AS (
  SELECT
    kind,
    item,
    CAST(CEIL(CAST(1000000000 AS DOUBLE) / COUNT(*)) AS BIGINT) AS share,
    COUNT(*) AS number
  FROM started
  GROUP BY
    kind,
    item
), shared AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY type, kind, item ORDER BY first_ts, principal) = 1 AS first_of_type,
    ROW_NUMBER() OVER (PARTITION BY kind, item ORDER BY first_ts, principal) = 1 AS first_of_cluster
  FROM started
  JOIN starters
    USING (kind, item)
)
SELECT
  principal,
  type,
  kind,
  item,
  first_ts,
  newcomer,
  share AS principal_share,
  CASE WHEN NOT for_type THEN 0 WHEN first_of_type THEN 1000000000 ELSE share END AS type_share,
  CASE WHEN NOT for_cluster THEN 0 WHEN first_of_cluster THEN 1000000000 ELSE share END AS cluster_share,
  CASE
    WHEN (
      foreign_here AND (
        NOT for_cluster OR number > 1
      )
    )
    OR (
      minted AND NOT for_cluster
    )
    THEN 1000000000
    ELSE 0
  END AS others_share
FROM shared
