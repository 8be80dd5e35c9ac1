/** The sizes that download requests name. */
export type DelegateSize = 'LAPTOP' | 'SMALL' | 'MEDIUM' | 'LARGE' | 'CCM_SMALL';

export interface Resources {
  readonly replicas: number;
  readonly cpu: string;
  readonly memoryMi: number;
}

/** LAPTOP is what the sample manifest asks for; each step doubles memory and CPU. */
export const sizes: Readonly<Record<DelegateSize, Resources>> = {
  LAPTOP: { replicas: 1, cpu: '0.5', memoryMi: 2048 },
  SMALL: { replicas: 2, cpu: '1', memoryMi: 4096 },
  MEDIUM: { replicas: 2, cpu: '2', memoryMi: 8192 },
  LARGE: { replicas: 2, cpu: '4', memoryMi: 16384 },
  CCM_SMALL: { replicas: 1, cpu: '1', memoryMi: 4096 },
};
