-- days, for spark: made by 'make sql' from features/; a change here is lost
WITH counted AS (
  SELECT
    principal,
    MIN(type) AS type,
    SLICE(ARRAY_SORT(COLLECT_LIST(DISTINCT COALESCE(username, ''))), 1, 50) AS usernames,
    COUNT(DISTINCT COALESCE(username, '')) AS distinct_usernames,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)), 0) AS BIGINT) AS requests,
    COUNT(DISTINCT HOUR(ts)) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS active_hours,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(writes, FALSE)), 0) AS BIGINT) AS writes,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(verb = 'list', FALSE)), 0) AS BIGINT) AS lists,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(verb = 'list' AND namespace IS NULL, FALSE)),
      0
    ) AS BIGINT) AS cluster_lists,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(verb = 'get' AND NOT name IS NULL, FALSE)),
      0
    ) AS BIGINT) AS gets,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(verb = 'watch', FALSE)), 0) AS BIGINT) AS watches,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(verb = 'create', FALSE)), 0) AS BIGINT) AS creates,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(verb IN ('update', 'patch'), FALSE)),
      0
    ) AS BIGINT) AS updates,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(resource IS NULL, FALSE)), 0) AS BIGINT) AS url_requests,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(verb = 'delete', FALSE)), 0) AS BIGINT) AS deletes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(verb = 'deletecollection', FALSE)),
      0
    ) AS BIGINT) AS collection_deletes,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(code = 401, FALSE)), 0) AS BIGINT) AS unauthorized,
    COUNT(DISTINCT COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-')) FILTER(WHERE
      NOT left_out AND COALESCE(COALESCE(code IN (401, 403), FALSE), FALSE)) AS distinct_denied_actions,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(code IN (401, 403), FALSE)
          AND COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE),
          FALSE
        )),
      0
    ) AS BIGINT) AS denied_secrets,
    COUNT(DISTINCT address) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_addresses,
    COUNT(DISTINCT network) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_networks,
    CAST(COALESCE(SUM(n) FILTER(WHERE
      NOT left_out AND COALESCE(is_public, FALSE)), 0) AS BIGINT) AS public_requests,
    COUNT(DISTINCT agent) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_agents,
    COUNT(DISTINCT namespace) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_namespaces,
    COUNT(DISTINCT object) FILTER(WHERE
      NOT left_out AND COALESCE(NOT resource IS NULL, FALSE)) AS distinct_resources,
    COUNT(DISTINCT COALESCE(verb, '-') || ' ' || object) FILTER(WHERE
      NOT left_out AND COALESCE(TRUE, FALSE)) AS distinct_actions,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
          AND verb IN ('get', 'list', 'watch')
          AND COALESCE(code < 400, FALSE),
          FALSE
        )),
      0
    ) AS BIGINT) AS secret_reads,
    COUNT(DISTINCT namespace || '/' || name) FILTER(WHERE
      NOT left_out
      AND COALESCE(
        COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
        AND verb IN ('get', 'list', 'watch')
        AND COALESCE(code < 400, FALSE)
        AND NOT name IS NULL,
        FALSE
      )) AS distinct_secrets,
    COUNT(DISTINCT COALESCE(namespace, '-')) FILTER(WHERE
      NOT left_out
      AND COALESCE(
        COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
        AND verb IN ('get', 'list', 'watch'),
        FALSE
      )) AS distinct_secret_namespaces,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
          AND verb = 'list'
          AND COALESCE(code < 400, FALSE),
          FALSE
        )),
      0
    ) AS BIGINT) AS secret_lists,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE) AND writes, FALSE)),
      0
    ) AS BIGINT) AS rbac_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
          AND writes
          AND COALESCE(
            strong_rule
            OR binding_role LIKE '%/cluster-admin'
            OR CASE
              WHEN NOT binding_subjects IS NULL
              THEN COALESCE(ARRAY_CONTAINS(binding_subjects, 'Group/system:masters'), FALSE)
            END,
            FALSE
          ),
          FALSE
        )),
      0
    ) AS BIGINT) AS strong_rbac_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(
            resource = 'pods'
            AND subresource IN ('exec', 'attach', 'portforward', 'ephemeralcontainers'),
            FALSE
          ),
          FALSE
        )),
      0
    ) AS BIGINT) AS execs,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
          AND verb = 'create'
          AND NOT type IN ('control plane', 'node'),
          FALSE
        )),
      0
    ) AS BIGINT) AS token_requests,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(host_access, FALSE)
          AND COALESCE(code < 400, FALSE)
          AND type <> 'control plane',
          FALSE
        )),
      0
    ) AS BIGINT) AS privileged_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(
            resource IN (
              'validatingwebhookconfigurations',
              'mutatingwebhookconfigurations',
              'apiservices'
            ),
            FALSE
          )
          AND writes
          AND type <> 'control plane',
          FALSE
        )),
      0
    ) AS BIGINT) AS hook_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'certificatesigningrequests', FALSE)
          AND writes
          AND NOT type IN ('control plane', 'node'),
          FALSE
        )),
      0
    ) AS BIGINT) AS certificate_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(COALESCE(resource = 'nodes' AND subresource = 'proxy', FALSE), FALSE)),
      0
    ) AS BIGINT) AS node_proxy_requests,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out
        AND COALESCE(
          COALESCE(resource = 'configmaps' AND namespace = 'kube-system' AND name = 'aws-auth', FALSE)
          AND writes,
          FALSE
        )),
      0
    ) AS BIGINT) AS aws_auth_writes,
    CAST(COALESCE(
      SUM(n) FILTER(WHERE
        NOT left_out AND COALESCE(NOT impersonated_user IS NULL, FALSE)),
      0
    ) AS BIGINT) AS impersonated_requests,
    COUNT(DISTINCT impersonated_user) FILTER(WHERE
      NOT left_out AND COALESCE(NOT impersonated_user IS NULL, FALSE)) AS distinct_impersonated_users
  FROM tallies
  WHERE
    grain = 'alike'
  GROUP BY
    principal
), novel AS (
  SELECT
    principal,
    CAST(COALESCE(SUM(others_share) FILTER(WHERE
      kind = 'client'), 0) DIV 1000000000 AS BIGINT) AS borrowed_clients,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'denied'), 0) DIV 1000000000 AS BIGINT) AS new_denied_actions,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'denied'), 0) DIV 1000000000 AS BIGINT) AS new_denied_actions_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'denied'), 0) DIV 1000000000 AS BIGINT) AS new_denied_actions_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'address'), 0) DIV 1000000000 AS BIGINT) AS new_addresses,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'address'), 0) DIV 1000000000 AS BIGINT) AS new_addresses_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'address'), 0) DIV 1000000000 AS BIGINT) AS new_addresses_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'network'), 0) DIV 1000000000 AS BIGINT) AS new_networks,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'network'), 0) DIV 1000000000 AS BIGINT) AS new_networks_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'network'), 0) DIV 1000000000 AS BIGINT) AS new_networks_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'agent'), 0) DIV 1000000000 AS BIGINT) AS new_agents,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'agent'), 0) DIV 1000000000 AS BIGINT) AS new_agents_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'agent'), 0) DIV 1000000000 AS BIGINT) AS new_agents_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'hour'), 0) DIV 1000000000 AS BIGINT) AS new_hours,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'hour'), 0) DIV 1000000000 AS BIGINT) AS new_hours_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'hour'), 0) DIV 1000000000 AS BIGINT) AS new_hours_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'namespace'), 0) DIV 1000000000 AS BIGINT) AS new_namespaces,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'namespace'), 0) DIV 1000000000 AS BIGINT) AS new_namespaces_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'namespace'), 0) DIV 1000000000 AS BIGINT) AS new_namespaces_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'action'), 0) DIV 1000000000 AS BIGINT) AS new_actions,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'action'), 0) DIV 1000000000 AS BIGINT) AS new_actions_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'action'), 0) DIV 1000000000 AS BIGINT) AS new_actions_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'write'), 0) DIV 1000000000 AS BIGINT) AS new_writes_in_namespaces,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'write'), 0) DIV 1000000000 AS BIGINT) AS new_writes_in_namespaces_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'write'), 0) DIV 1000000000 AS BIGINT) AS new_writes_in_namespaces_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'secret'), 0) DIV 1000000000 AS BIGINT) AS new_secrets,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'secret'), 0) DIV 1000000000 AS BIGINT) AS new_secrets_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'secret'), 0) DIV 1000000000 AS BIGINT) AS new_secrets_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'secret_namespace'), 0) DIV 1000000000 AS BIGINT) AS new_secret_namespaces,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'secret_namespace'), 0) DIV 1000000000 AS BIGINT) AS new_secret_namespaces_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'secret_namespace'), 0) DIV 1000000000 AS BIGINT) AS new_secret_namespaces_for_cluster,
    CAST(COALESCE(SUM(principal_share) FILTER(WHERE
      kind = 'sensitive'), 0) DIV 1000000000 AS BIGINT) AS new_sensitive_actions,
    CAST(COALESCE(SUM(type_share) FILTER(WHERE
      kind = 'sensitive'), 0) DIV 1000000000 AS BIGINT) AS new_sensitive_actions_for_type,
    CAST(COALESCE(SUM(cluster_share) FILTER(WHERE
      kind = 'sensitive'), 0) DIV 1000000000 AS BIGINT) AS new_sensitive_actions_for_cluster
  FROM new_items
  GROUP BY
    principal
)
SELECT
  principal,
  type,
  type AS peer_group,
  usernames,
  distinct_usernames,
  requests,
  COALESCE(peak_minute, 0) AS peak_minute,
  active_hours,
  writes,
  lists,
  cluster_lists,
  gets,
  watches,
  creates,
  updates,
  url_requests,
  COALESCE(self_reviews, 0) AS self_reviews,
  deletes,
  collection_deletes,
  COALESCE(forbidden, 0) AS forbidden,
  unauthorized,
  COALESCE(not_found, 0) AS not_found,
  COALESCE(other_errors, 0) AS other_errors,
  distinct_denied_actions,
  denied_secrets,
  distinct_addresses,
  distinct_networks,
  public_requests,
  COALESCE(borrowed_clients, 0) AS borrowed_clients,
  distinct_agents,
  distinct_namespaces,
  distinct_resources,
  distinct_actions,
  secret_reads,
  distinct_secrets,
  distinct_secret_namespaces,
  secret_lists,
  rbac_writes,
  strong_rbac_writes,
  execs,
  token_requests,
  privileged_writes,
  hook_writes,
  certificate_writes,
  node_proxy_requests,
  aws_auth_writes,
  impersonated_requests,
  distinct_impersonated_users,
  COALESCE(new_denied_actions, 0) AS new_denied_actions,
  COALESCE(new_denied_actions_for_type, 0) AS new_denied_actions_for_type,
  COALESCE(new_denied_actions_for_cluster, 0) AS new_denied_actions_for_cluster,
  COALESCE(new_addresses, 0) AS new_addresses,
  COALESCE(new_addresses_for_type, 0) AS new_addresses_for_type,
  COALESCE(new_addresses_for_cluster, 0) AS new_addresses_for_cluster,
  COALESCE(new_networks, 0) AS new_networks,
  COALESCE(new_networks_for_type, 0) AS new_networks_for_type,
  COALESCE(new_networks_for_cluster, 0) AS new_networks_for_cluster,
  COALESCE(new_agents, 0) AS new_agents,
  COALESCE(new_agents_for_type, 0) AS new_agents_for_type,
  COALESCE(new_agents_for_cluster, 0) AS new_agents_for_cluster,
  COALESCE(new_hours, 0) AS new_hours,
  COALESCE(new_hours_for_type, 0) AS new_hours_for_type,
  COALESCE(new_hours_for_cluster, 0) AS new_hours_for_cluster,
  COALESCE(new_namespaces, 0) AS new_namespaces,
  COALESCE(new_namespaces_for_type, 0) AS new_namespaces_for_type,
  COALESCE(new_namespaces_for_cluster, 0) AS new_namespaces_for_cluster,
  COALESCE(new_actions, 0) AS new_actions,
  COALESCE(new_actions_for_type, 0) AS new_actions_for_type,
  COALESCE(new_actions_for_cluster, 0) AS new_actions_for_cluster,
  COALESCE(new_writes_in_namespaces, 0) AS new_writes_in_namespaces,
  COALESCE(new_writes_in_namespaces_for_type, 0) AS new_writes_in_namespaces_for_type,
  COALESCE(new_writes_in_namespaces_for_cluster, 0) AS new_writes_in_namespaces_for_cluster,
  COALESCE(new_secrets, 0) AS new_secrets,
  COALESCE(new_secrets_for_type, 0) AS new_secrets_for_type,
  COALESCE(new_secrets_for_cluster, 0) AS new_secrets_for_cluster,
  COALESCE(new_secret_namespaces, 0) AS new_secret_namespaces,
  COALESCE(new_secret_namespaces_for_type, 0) AS new_secret_namespaces_for_type,
  COALESCE(new_secret_namespaces_for_cluster, 0) AS new_secret_namespaces_for_cluster,
  COALESCE(new_sensitive_actions, 0) AS new_sensitive_actions,
  COALESCE(new_sensitive_actions_for_type, 0) AS new_sensitive_actions_for_type,
  COALESCE(new_sensitive_actions_for_cluster, 0) AS new_sensitive_actions_for_cluster
FROM counted
LEFT JOIN novel
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    MAX(peak_minute) AS peak_minute
  FROM tallies
  WHERE
    grain = 'minute'
  GROUP BY
    principal
)
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(LEAST(n, 5)) AS BIGINT) AS self_reviews
  FROM (
    SELECT
      principal,
      SUM(n) AS n
    FROM tallies
    WHERE
      grain = 'alike'
      AND NOT left_out
      AND COALESCE(
        COALESCE(
          resource IN ('selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'),
          FALSE
        ),
        FALSE
      )
    GROUP BY
      principal,
      COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-') || '/' || COALESCE(name, '*')
  )
  GROUP BY
    principal
)
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(LEAST(n, 5)) AS BIGINT) AS forbidden
  FROM (
    SELECT
      principal,
      SUM(n) AS n
    FROM tallies
    WHERE
      grain = 'alike' AND NOT left_out AND COALESCE(code = 403, FALSE)
    GROUP BY
      principal,
      COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-') || '/' || COALESCE(name, '*')
  )
  GROUP BY
    principal
)
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(LEAST(n, 5)) AS BIGINT) AS not_found
  FROM (
    SELECT
      principal,
      SUM(n) AS n
    FROM tallies
    WHERE
      grain = 'alike' AND NOT left_out AND COALESCE(code = 404, FALSE)
    GROUP BY
      principal,
      COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-') || '/' || COALESCE(name, '*')
  )
  GROUP BY
    principal
)
  USING (principal)
LEFT JOIN (
  SELECT
    principal,
    CAST(SUM(LEAST(n, 5)) AS BIGINT) AS other_errors
  FROM (
    SELECT
      principal,
      SUM(n) AS n
    FROM tallies
    WHERE
      grain = 'alike'
      AND NOT left_out
      AND COALESCE(COALESCE(code >= 400 AND NOT code IN (401, 403, 404), FALSE), FALSE)
    GROUP BY
      principal,
      COALESCE(verb, '-') || ' ' || object || ' ' || COALESCE(namespace, '-') || '/' || COALESCE(name, '*')
  )
  GROUP BY
    principal
)
  USING (principal)
ORDER BY
  principal NULLS LAST
