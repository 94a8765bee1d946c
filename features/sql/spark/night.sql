-- night, for spark: made by 'make sql' from features/; a change here is lost
SELECT
  CAST(COALESCE(SUM(n) FILTER(WHERE
    left_out), 0) AS BIGINT) AS left_out,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE) AND writes
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS strong_rbac_writes_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE) AND writes
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS strong_rbac_writes_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        writes
        AND verb IN ('create', 'update', 'patch')
        AND COALESCE(
          resource IN (
            'pods',
            'deployments',
            'daemonsets',
            'statefulsets',
            'replicasets',
            'replicationcontrollers',
            'jobs',
            'cronjobs',
            'podtemplates'
          ),
          FALSE
        )
        AND (
          subresource IS NULL
          OR (
            resource = 'pods' AND subresource = 'ephemeralcontainers'
          )
        )
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS privileged_writes_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        writes
        AND verb IN ('create', 'update', 'patch')
        AND COALESCE(
          resource IN (
            'pods',
            'deployments',
            'daemonsets',
            'statefulsets',
            'replicasets',
            'replicationcontrollers',
            'jobs',
            'cronjobs',
            'podtemplates'
          ),
          FALSE
        )
        AND (
          subresource IS NULL
          OR (
            resource = 'pods' AND subresource = 'ephemeralcontainers'
          )
        )
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS privileged_writes_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS impersonated_requests_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    NOT retold OR FALSE), 0) AS BIGINT) AS impersonated_requests_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS distinct_impersonated_users_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    NOT retold OR FALSE), 0) AS BIGINT) AS distinct_impersonated_users_shown
FROM tallies
WHERE
  grain = 'alike'
