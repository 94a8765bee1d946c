-- hours, for athena: made by 'make sql' from features/; a change here is lost
WITH tonight AS (
  SELECT
    principal,
    type,
    CAST(item AS INTEGER) AS hour,
    requests
  FROM items
  WHERE
    kind = 'hour'
), seen AS (
  SELECT
    principal,
    type,
    CAST(item AS INTEGER) AS hour,
    COUNT(DISTINCT CAST(first_ts AS DATE)) AS nights
  FROM past_items
  WHERE
    kind = 'hour'
  GROUP BY
    principal,
    type,
    item
), own_nights AS (
  SELECT
    principal,
    type,
    COUNT(DISTINCT CAST(first_ts AS DATE)) AS nights
  FROM past_items
  WHERE
    kind = 'hour'
  GROUP BY
    principal,
    type
), type_nights AS (
  SELECT
    type,
    SUM(nights) AS nights
  FROM own_nights
  GROUP BY
    type
), own AS (
  SELECT
    t.principal,
    t.hour,
    SUM(CASE WHEN s.hour = t.hour THEN 2 * s.nights ELSE s.nights END) AS active
  FROM tonight AS t
  JOIN seen AS s
    ON s.principal = t.principal
    AND s.type = t.type
    AND s.hour - t.hour IN (-23, -1, 0, 1, 23)
  GROUP BY
    t.principal,
    t.hour
), peers AS (
  SELECT
    t.type,
    t.hour,
    SUM(CASE WHEN s.hour = t.hour THEN 2 * s.nights ELSE s.nights END) AS active
  FROM (
    SELECT DISTINCT
      type,
      hour
    FROM tonight
  ) AS t
  JOIN (
    SELECT
      type,
      hour,
      SUM(nights) AS nights
    FROM seen
    GROUP BY
      type,
      hour
  ) AS s
    ON s.type = t.type AND s.hour - t.hour IN (-23, -1, 0, 1, 23)
  GROUP BY
    t.type,
    t.hour
), shares AS (
  SELECT
    t.principal,
    t.hour,
    t.requests,
    COALESCE(own.active, 0) * y.nights + 3 * COALESCE(peers.active, 0) AS active,
    4 * y.nights * (
      COALESCE(o.nights, 0) + 3
    ) AS out_of
  FROM tonight AS t
  JOIN type_nights AS y
    ON y.type = t.type
  LEFT JOIN own_nights AS o
    ON o.principal = t.principal AND o.type = t.type
  LEFT JOIN own
    ON own.principal = t.principal AND own.hour = t.hour
  LEFT JOIN peers
    ON peers.type = t.type AND peers.hour = t.hour
)
SELECT
  principal,
  hour,
  requests,
  CAST((
    CASE
      WHEN 1000 * out_of >= 1000000000 * active
      THEN 60
      WHEN 1000 * out_of >= 794328235 * active
      THEN 59
      WHEN 1000 * out_of >= 630957344 * active
      THEN 58
      WHEN 1000 * out_of >= 501187234 * active
      THEN 57
      WHEN 1000 * out_of >= 398107171 * active
      THEN 56
      WHEN 1000 * out_of >= 316227766 * active
      THEN 55
      WHEN 1000 * out_of >= 251188643 * active
      THEN 54
      WHEN 1000 * out_of >= 199526231 * active
      THEN 53
      WHEN 1000 * out_of >= 158489319 * active
      THEN 52
      WHEN 1000 * out_of >= 125892541 * active
      THEN 51
      WHEN 1000 * out_of >= 100000000 * active
      THEN 50
      WHEN 1000 * out_of >= 79432823 * active
      THEN 49
      WHEN 1000 * out_of >= 63095734 * active
      THEN 48
      WHEN 1000 * out_of >= 50118723 * active
      THEN 47
      WHEN 1000 * out_of >= 39810717 * active
      THEN 46
      WHEN 1000 * out_of >= 31622777 * active
      THEN 45
      WHEN 1000 * out_of >= 25118864 * active
      THEN 44
      WHEN 1000 * out_of >= 19952623 * active
      THEN 43
      WHEN 1000 * out_of >= 15848932 * active
      THEN 42
      WHEN 1000 * out_of >= 12589254 * active
      THEN 41
      WHEN 1000 * out_of >= 10000000 * active
      THEN 40
      WHEN 1000 * out_of >= 7943282 * active
      THEN 39
      WHEN 1000 * out_of >= 6309573 * active
      THEN 38
      WHEN 1000 * out_of >= 5011872 * active
      THEN 37
      WHEN 1000 * out_of >= 3981072 * active
      THEN 36
      WHEN 1000 * out_of >= 3162278 * active
      THEN 35
      WHEN 1000 * out_of >= 2511886 * active
      THEN 34
      WHEN 1000 * out_of >= 1995262 * active
      THEN 33
      WHEN 1000 * out_of >= 1584893 * active
      THEN 32
      WHEN 1000 * out_of >= 1258925 * active
      THEN 31
      WHEN 1000 * out_of >= 1000000 * active
      THEN 30
      WHEN 1000 * out_of >= 794328 * active
      THEN 29
      WHEN 1000 * out_of >= 630957 * active
      THEN 28
      WHEN 1000 * out_of >= 501187 * active
      THEN 27
      WHEN 1000 * out_of >= 398107 * active
      THEN 26
      WHEN 1000 * out_of >= 316228 * active
      THEN 25
      WHEN 1000 * out_of >= 251189 * active
      THEN 24
      WHEN 1000 * out_of >= 199526 * active
      THEN 23
      WHEN 1000 * out_of >= 158489 * active
      THEN 22
      WHEN 1000 * out_of >= 125893 * active
      THEN 21
      WHEN 1000 * out_of >= 100000 * active
      THEN 20
      WHEN 1000 * out_of >= 79433 * active
      THEN 19
      WHEN 1000 * out_of >= 63096 * active
      THEN 18
      WHEN 1000 * out_of >= 50119 * active
      THEN 17
      WHEN 1000 * out_of >= 39811 * active
      THEN 16
      WHEN 1000 * out_of >= 31623 * active
      THEN 15
      WHEN 1000 * out_of >= 25119 * active
      THEN 14
      WHEN 1000 * out_of >= 19953 * active
      THEN 13
      WHEN 1000 * out_of >= 15849 * active
      THEN 12
      WHEN 1000 * out_of >= 12589 * active
      THEN 11
      ELSE 0
    END
  ) * LEAST(requests, 5) AS BIGINT) / CAST(5 AS BIGINT) AS tenths
FROM shares
WHERE
  100 * active < 8 * out_of
