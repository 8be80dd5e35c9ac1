import type { CheckContext, Examination } from '../check/examination.ts';
import { contextEndpoint, managerFault, plainInStrict, reported } from '../check/examination.ts';
import type { EditableText } from '../edit/editable-text.ts';
import { at } from '../edit/repair.ts';
import { wholeFile } from '../edit/text-part.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import type { Place, Problem } from '../finding.ts';
import { imageFault } from '../image-tag.ts';
import { yamlFaults } from '../yaml-refusals.ts';
import { assignment, helmCommandRules, helmCommands, knownValue } from './command.ts';
import { valuesOf, valuesRules } from './values.ts';

export function examineHelmValues(source: EditableText, context: CheckContext): Examination[] {
  const file = new YamlFile(source);
  const faults: Examination = { file, delegate: false, problems: () => [...yamlFaults(file)] };
  if (file.parts.some((part) => part.fault)) return [faults];
  const examinations = valuesOf(file).map((_, index) => ({
    file,
    delegate: true,
    problems: () => {
      const values = valuesOf(file)[index];
      if (!values) return [];
      const present = values.get('managerEndpoint');
      const mtls = values.get('mTLS') ?? values.get('mtls') ?? values.get('mTls') ?? values.get('MTLS');
      const begun = mtls?.map !== undefined && mtls.entries().some((entry) => entry.text);
      const scene = {
        values,
        endpoint: contextEndpoint(context, present?.text),
        secretName: undefined,
        continuousIntegration: false,
      };
      const place = at(present ?? values);
      return [
        ...reported(
          valuesRules.flatMap((rule) => [...rule(scene)]),
          begun,
        ),
        ...image(
          values.get('delegateDockerImage')?.text,
          at(values.get('delegateDockerImage') ?? values),
          begun || context.mode === 'STRICT',
        ),
        ...managerFault(present?.text, place, begun),
        ...plainInStrict(context, begun, place, values.get('delegateName')?.text ?? 'the delegate'),
      ];
    },
  }));
  return [faults, ...examinations];
}

export function examineHelmCommand(source: EditableText, context: CheckContext): Examination[] {
  return helmCommands(source.text).map((_, index) => ({
    file: { source, parts: [] },
    delegate: true,
    problems: () => {
      const helm = helmCommands(source.text)[index];
      if (!helm) return [];
      const manager = assignment(helm, 'managerEndpoint');
      const known = knownValue(helm, 'managerEndpoint');
      const begun = Boolean(assignment(helm, 'mTLS.secretName')?.value);
      const scene = { text: source.text, helm, endpoint: contextEndpoint(context, known), secretName: undefined };
      const place: Place = { part: wholeFile, offset: (manager?.word ?? helm.release).start };
      const tag = assignment(helm, 'delegateDockerImage');
      const tagPlace: Place = { part: wholeFile, offset: (tag?.word ?? helm.release).start };
      return [
        ...reported(
          helmCommandRules.flatMap((rule) => [...rule(scene)]),
          begun,
        ),
        ...image(knownValue(helm, 'delegateDockerImage'), tagPlace, begun || context.mode === 'STRICT'),
        ...managerFault(known, place, begun),
        ...plainInStrict(context, begun || helm.valueFiles.length > 0, place, helm.release.value),
      ];
    },
  }));
}

function* image(name: string | undefined, at: Place, mtls: boolean): Iterable<Problem> {
  const fault = name === undefined ? undefined : imageFault(name);
  if (fault)
    yield {
      code: 'IMAGE_NOT_IMMUTABLE',
      severity: mtls ? 'error' : 'note',
      at,
      message: fault,
      remedy: 'Set an immutable tag.',
    };
}
