-- tallies, for athena: made by 'make sql' from features/; a change here is lost
SELECT
  username,
  impersonated_user,
  verb,
  code,
  level,
  name,
  namespace,
  authz_role,
  truncated,
  resource,
  subresource,
  api_group,
  binding_role,
  binding_subjects,
  principal,
  type,
  writes,
  object,
  address,
  network,
  is_public,
  agent,
  host_access,
  strong_rule,
  retold,
  left_out,
  CASE WHEN GROUPING(each_minute) = 0 THEN 'minute' ELSE 'alike' END AS grain,
  COUNT(*) AS n,
  MIN(ts) AS ts,
  COUNT(*) FILTER(WHERE
    NOT left_out AND COALESCE(TRUE, FALSE)) AS peak_minute
FROM (
  SELECT
    *,
    DATE_TRUNC('HOUR', ts) AS each_hour,
    DATE_TRUNC('MINUTE', ts) AS each_minute
  FROM requests
)
GROUP BY
  GROUPING SETS (
    (
      username,
      impersonated_user,
      verb,
      code,
      level,
      name,
      namespace,
      authz_role,
      truncated,
      resource,
      subresource,
      api_group,
      binding_role,
      binding_subjects,
      principal,
      type,
      writes,
      object,
      address,
      network,
      is_public,
      agent,
      host_access,
      strong_rule,
      retold,
      left_out,
      each_hour
    ),
    (principal, each_minute)
  )
