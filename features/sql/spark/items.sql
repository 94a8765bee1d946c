-- items, for spark: made by 'make sql' from features/; a change here is lost
SELECT
  principal,
  type,
  'denied' AS kind,
  COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-') AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    COALESCE(code IN (401, 403), FALSE)
  )
  AND NOT (
    COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-')
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'address' AS kind,
  address AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike' AND NOT left_out AND (
    TRUE
  ) AND NOT (
    address
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'network' AS kind,
  network AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike' AND NOT left_out AND (
    TRUE
  ) AND NOT (
    network
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'agent' AS kind,
  agent AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike' AND NOT left_out AND (
    TRUE
  ) AND NOT (
    agent
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'hour' AS kind,
  LPAD(CAST(HOUR(ts) AS STRING), 2, '0') AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    TRUE
  )
  AND NOT (
    LPAD(CAST(HOUR(ts) AS STRING), 2, '0')
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'namespace' AS kind,
  namespace AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike' AND NOT left_out AND (
    TRUE
  ) AND NOT (
    namespace
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'action' AS kind,
  COALESCE(verb, '-') || ' ' || object AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    TRUE
  )
  AND NOT (
    COALESCE(verb, '-') || ' ' || object
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'write' AS kind,
  COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-') AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    writes
  )
  AND NOT (
    COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-')
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'secret' AS kind,
  COALESCE(namespace, '-') || '/' || COALESCE(name, '*') AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
    AND verb IN ('get', 'list', 'watch')
  )
  AND NOT (
    COALESCE(namespace, '-') || '/' || COALESCE(name, '*')
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'secret_namespace' AS kind,
  COALESCE(namespace, '-') AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
    AND verb IN ('get', 'list', 'watch')
  )
  AND NOT (
    COALESCE(namespace, '-')
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'sensitive' AS kind,
  COALESCE(verb, '-') || ' ' || object || CASE
    WHEN COALESCE(host_access, FALSE)
    AND COALESCE(code < 400, FALSE)
    AND type <> 'control plane'
    THEN ' privileged'
    ELSE ''
  END || CASE WHEN NOT impersonated_user IS NULL THEN ' as other' ELSE '' END AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    (
      COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE) AND writes
    )
    OR (
      COALESCE(
        resource = 'pods'
        AND subresource IN ('exec', 'attach', 'portforward', 'ephemeralcontainers'),
        FALSE
      )
    )
    OR (
      COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
      AND verb = 'create'
      AND NOT type IN ('control plane', 'node')
    )
    OR (
      COALESCE(host_access, FALSE)
      AND COALESCE(code < 400, FALSE)
      AND type <> 'control plane'
    )
    OR (
      COALESCE(
        resource IN (
          'validatingwebhookconfigurations',
          'mutatingwebhookconfigurations',
          'apiservices'
        ),
        FALSE
      )
      AND writes
      AND type <> 'control plane'
    )
    OR (
      COALESCE(resource = 'certificatesigningrequests', FALSE)
      AND writes
      AND NOT type IN ('control plane', 'node')
    )
    OR (
      COALESCE(resource = 'nodes' AND subresource = 'proxy', FALSE)
    )
    OR (
      COALESCE(resource = 'configmaps' AND namespace = 'kube-system' AND name = 'aws-auth', FALSE)
      AND writes
    )
    OR (
      NOT impersonated_user IS NULL
    )
    OR (
      COALESCE(verb = 'deletecollection', FALSE)
    )
  )
  AND NOT (
    COALESCE(verb, '-') || ' ' || object || CASE
      WHEN COALESCE(host_access, FALSE)
      AND COALESCE(code < 400, FALSE)
      AND type <> 'control plane'
      THEN ' privileged'
      ELSE ''
    END || CASE WHEN NOT impersonated_user IS NULL THEN ' as other' ELSE '' END
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'client' AS kind,
  agent || ' ' || address AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    TRUE
  )
  AND NOT (
    agent || ' ' || address
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'authz_role' AS kind,
  authz_role AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike' AND NOT left_out AND (
    TRUE
  ) AND NOT (
    authz_role
  ) IS NULL
GROUP BY
  principal,
  type,
  4
UNION ALL
SELECT
  principal,
  type,
  'impersonated_user' AS kind,
  impersonated_user AS item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM tallies
WHERE
  grain = 'alike'
  AND NOT left_out
  AND (
    TRUE
  )
  AND NOT (
    impersonated_user
  ) IS NULL
GROUP BY
  principal,
  type,
  4
