// What a strict API server says about an object: kubernetes-models knows types, required fields and enumerations but
// lets unknown fields pass, and @kubernetes/client-node knows every field by name. Together they are strict.
import * as client from '@kubernetes/client-node';
import { Certificate } from '@kubernetes-models/cert-manager/cert-manager.io/v1/Certificate';
import { Deployment, StatefulSet } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v1';
import { CronJob } from 'kubernetes-models/batch/v1';
import { ClusterRoleBinding, Role, RoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1';
import { ConfigMap, Namespace, Secret, Service, ServiceAccount } from 'kubernetes-models/v1';
import { certificateProblems } from './cert-manager-certificate.ts';
import { isMap, type Plain, type PlainMap } from './plain-objects.ts';

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

interface Schema {
  validate(): void;
}

const known: Readonly<Record<string, readonly [string, new (object: never) => Schema]>> = {
  'apps/v1 Deployment': ['V1Deployment', Deployment],
  'apps/v1 StatefulSet': ['V1StatefulSet', StatefulSet],
  'autoscaling/v1 HorizontalPodAutoscaler': ['V1HorizontalPodAutoscaler', HorizontalPodAutoscaler],
  'batch/v1 CronJob': ['V1CronJob', CronJob],
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': ['V1ClusterRoleBinding', ClusterRoleBinding],
  'rbac.authorization.k8s.io/v1 Role': ['V1Role', Role],
  'rbac.authorization.k8s.io/v1 RoleBinding': ['V1RoleBinding', RoleBinding],
  'v1 ConfigMap': ['V1ConfigMap', ConfigMap],
  'v1 Namespace': ['V1Namespace', Namespace],
  'v1 Secret': ['V1Secret', Secret],
  'v1 Service': ['V1Service', Service],
  'v1 ServiceAccount': ['V1ServiceAccount', ServiceAccount],
};

/** Every way in which the object breaks its schema, unknown fields included; empty when it is valid. */
export function schemaProblems(object: PlainMap): string[] {
  const kind = `${String(object['apiVersion'])} ${String(object['kind'])}`;
  if (kind === 'cert-manager.io/v1 Certificate')
    return [...certificateProblems(object), ...faults(new Certificate(object as never), kind)];
  const [model, Schema] = known[kind] ?? [];
  if (model === undefined || Schema === undefined) return [`${kind} is not a kind that the tests have a schema for`];
  return [...unknownFields(object, model, kind), ...faults(new Schema(object as never), kind)];
}

function faults(object: Schema, kind: string): string[] {
  try {
    object.validate();
    return [];
  } catch (error) {
    return [`${kind}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function unknownFields(value: Plain | undefined, type: string, path: string): string[] {
  const item = /^Array<(.+)>$/.exec(type)?.[1];
  if (item !== undefined)
    return Array.isArray(value) ? value.flatMap((each, index) => unknownFields(each, item, `${path}[${index}]`)) : [];
  const entry = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  if (!isMap(value)) return [];
  if (entry !== undefined)
    return Object.entries(value).flatMap(([key, each]) => unknownFields(each, entry, `${path}.${key}`));
  const attributes = attributesOf(type);
  if (attributes === undefined) return [];
  return Object.entries(value).flatMap(([key, each]) => {
    const attribute = attributes.find(({ baseName }) => baseName === key);
    return attribute === undefined
      ? [`${path}.${key} is unknown`]
      : unknownFields(each, attribute.type, `${path}.${key}`);
  });
}

function attributesOf(type: string): readonly Attribute[] | undefined {
  const model = (client as unknown as Record<string, { getAttributeTypeMap?: () => readonly Attribute[] } | undefined>)[
    type
  ];
  return model?.getAttributeTypeMap?.();
}
