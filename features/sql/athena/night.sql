-- night, for athena: made by 'make sql' from features/; a change here is lost
SELECT
  CAST(COALESCE(SUM(n) FILTER(WHERE
    left_out), 0) AS BIGINT) AS left_out,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    decision = 'allow'), 0) AS BIGINT) AS allowed,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    unparsed), 0) AS BIGINT) AS unparsed,
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
    (
      NOT retold
    )), 0) AS BIGINT) AS impersonated_requests_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS distinct_impersonated_users_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT retold
    )), 0) AS BIGINT) AS distinct_impersonated_users_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS logged_bytes_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT retold
    )), 0) AS BIGINT) AS logged_bytes_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS forbidden_by_authorization_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT retold OR NOT decision IS NULL
    )), 0) AS BIGINT) AS forbidden_by_authorization_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS forbidden_after_authorization_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT retold OR NOT decision IS NULL
    )), 0) AS BIGINT) AS forbidden_after_authorization_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS credentials_per_pod_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        NOT pod_name IS NULL
      ) AND (
        NOT credential_id IS NULL
      )),
    0
  ) AS BIGINT) AS credentials_per_pod_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS addresses_per_credential_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT credential_id IS NULL
    )), 0) AS BIGINT) AS addresses_per_credential_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS distinct_roles_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT retold OR NOT authz_role IS NULL
    )), 0) AS BIGINT) AS distinct_roles_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
        AND verb = 'create'
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS longest_token_s_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
        AND verb = 'create'
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold
      AND (
        NOT token_expiration_s IS NULL
      )),
    0
  ) AS BIGINT) AS longest_token_s_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
        AND verb = 'create'
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS long_token_requests_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
        AND verb = 'create'
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold
      AND (
        NOT token_expiration_s IS NULL
      )),
    0
  ) AS BIGINT) AS long_token_requests_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        verb = 'create'
        AND COALESCE(
          resource IN ('selfsubjectaccessreviews', 'subjectaccessreviews', 'localsubjectaccessreviews'),
          FALSE
        )
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS distinct_permissions_asked_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        verb = 'create'
        AND COALESCE(
          resource IN ('selfsubjectaccessreviews', 'subjectaccessreviews', 'localsubjectaccessreviews'),
          FALSE
        )
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS distinct_permissions_asked_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('rolebindings', 'clusterrolebindings')
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS self_bindings_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('rolebindings', 'clusterrolebindings')
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS self_bindings_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('rolebindings', 'clusterrolebindings')
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS broad_bindings_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('rolebindings', 'clusterrolebindings')
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS broad_bindings_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('roles', 'clusterroles')
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS wildcard_rules_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('roles', 'clusterroles')
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS wildcard_rules_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('roles', 'clusterroles')
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS secret_rules_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('roles', 'clusterroles')
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS secret_rules_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('roles', 'clusterroles')
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS exec_rules_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('roles', 'clusterroles')
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS exec_rules_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('roles', 'clusterroles')
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS rights_rules_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE)
        AND writes
        AND resource IN ('roles', 'clusterroles')
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS rights_rules_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(
          resource IN ('validatingwebhookconfigurations', 'mutatingwebhookconfigurations'),
          FALSE
        )
        AND verb IN ('create', 'update', 'patch')
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS outside_hook_writes_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(
          resource IN ('validatingwebhookconfigurations', 'mutatingwebhookconfigurations'),
          FALSE
        )
        AND verb IN ('create', 'update', 'patch')
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS outside_hook_writes_shown,
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
  ) AS BIGINT) AS carried_out_privileges_asked,
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
  ) AS BIGINT) AS carried_out_privileges_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS new_bindings_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT retold OR NOT authz_role IS NULL
    )), 0) AS BIGINT) AS new_bindings_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS new_bindings_for_type_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT retold OR NOT authz_role IS NULL
    )), 0) AS BIGINT) AS new_bindings_for_type_shown,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    TRUE), 0) AS BIGINT) AS new_bindings_for_cluster_asked,
  CAST(COALESCE(SUM(n) FILTER(WHERE
    (
      NOT retold OR NOT authz_role IS NULL
    )), 0) AS BIGINT) AS new_bindings_for_cluster_shown,
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
  ) AS BIGINT) AS new_images_asked,
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
  ) AS BIGINT) AS new_images_shown,
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
  ) AS BIGINT) AS new_images_for_type_asked,
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
  ) AS BIGINT) AS new_images_for_type_shown,
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
  ) AS BIGINT) AS new_images_for_cluster_asked,
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
  ) AS BIGINT) AS new_images_for_cluster_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
        AND name = 'aws-auth'
        AND writes
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS new_mapped_identities_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
        AND name = 'aws-auth'
        AND writes
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS new_mapped_identities_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
        AND name = 'aws-auth'
        AND writes
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS new_mapped_identities_for_type_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
        AND name = 'aws-auth'
        AND writes
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS new_mapped_identities_for_type_shown,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
        AND name = 'aws-auth'
        AND writes
      )
      AND COALESCE(code < 400, FALSE)),
    0
  ) AS BIGINT) AS new_mapped_identities_for_cluster_asked,
  CAST(COALESCE(
    SUM(n) FILTER(WHERE
      (
        COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
        AND name = 'aws-auth'
        AND writes
      )
      AND COALESCE(code < 400, FALSE)
      AND level IN ('Request', 'RequestResponse')
      AND truncated IS NULL
      AND NOT retold),
    0
  ) AS BIGINT) AS new_mapped_identities_for_cluster_shown
FROM tallies
WHERE
  grain = 'alike'
